#!/usr/bin/env bash
# Runs mixed jobs between LAB and SRVTRF for half an hour, with small faults at random moments, and proves each outcome, and that
# memory, open files and SSH sessions are what they were before. infra/soak's first comment says more. It starts a throw-away
# PostgreSQL; all is on the loopback and gone at the end.
#
#   infra/soak.sh                              KETTER_SOAK=30m
#   KETTER_SOAK=2h infra/soak.sh
#   KETTER_SOAK_SEED=N infra/soak.sh           the same choices again
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

main() {
	require_go
	[ -x /usr/sbin/sshd ] || install_packages openssh-server >&2
	postgres_bindir >/dev/null || install_packages postgresql >&2
	make_scratch
	trap cleanup EXIT
	trap 'exit 130' INT TERM HUP
	# shellcheck disable=SC2119 # the settings are the usual ones
	start_postgres
	cd "$ROOT"
	KETTER_TEST_DB_URL=$SERVER_URL KETTER_SOAK=${KETTER_SOAK:-30m} go test -count=1 -timeout 0 -v "$@" ./infra/soak
}

cleanup() {
	stop_postgres
	[ -z "$scratch" ] || rm -rf "$scratch"
}

main "$@"
