#!/usr/bin/env bash
# Fills a throw-away PostgreSQL with 1,000,000 jobs and 8,000,000 events, and tells what the API and the workers' chores take
# then; docs/scale.md says how to read it. About ten minutes, and 5 GiB of disk.
#
#   infra/scale.sh [JOBS]
#   POSTGRES="-c shared_buffers=2GB" infra/scale.sh      with other settings of that PostgreSQL
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

main() {
	require_go
	postgres_bindir >/dev/null || install_packages postgresql >&2
	make_scratch
	trap cleanup EXIT
	trap 'exit 130' INT TERM HUP
	# shellcheck disable=SC2086 # a list
	start_postgres "${QUICK_POSTGRES[@]}" ${POSTGRES:-}
	cd "$ROOT"
	# One package after the other: what is timed should be alone.
	KETTER_TEST_DB_URL=$SERVER_URL KETTER_SCALE_JOBS=${1:-1000000} \
		go test -count=1 -p 1 -v -timeout 60m -run 'TestScale|DoesNotGrow|ReadsNoHistory' \
		./httpapi ./db ./river_jobs
}

cleanup() {
	stop_postgres
	rm -rf "$scratch"
}

main "$@"
