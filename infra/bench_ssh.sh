#!/usr/bin/env bash
# Times Ketter's jobs between two hosts beside tar | ssh tar, rsync, scp and rclone, over a real sshd behind a link with latency, and
# prints Markdown. As root it installs what it compares with. It starts `ketter serve` and `ketter worker` and, unless DB_URL
# names another, a PostgreSQL with its usual settings; all is on the loopback and gone at the end.
#
#   infra/bench_ssh.sh --quick                                       a minute, to see that it works
#   infra/bench_ssh.sh --task 20ms:2000x1KiB:9:tar,zip-first
#   infra/bench_ssh.sh --output docs/benchmarks-ssh.md               all of it: half an hour, 8 GiB of memory
#   infra/bench_ssh.sh --help                                        every flag
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

main() {
	local status=0 bench
	require_go
	install_missing
	make_scratch
	trap cleanup EXIT
	trap 'exit 130' INT TERM HUP
	build_ketter "$scratch/ketter"
	(cd "$ROOT" && go build -buildvcs=false -o "$scratch/bench-ssh" ./infra/benchssh)
	if [ -z "${DB_URL:-}" ]; then
		# shellcheck disable=SC2086 # a list
		start_postgres ${POSTGRES:-}
		export DB_URL=$SERVER_URL
	fi
	"$scratch/bench-ssh" --ketter "$scratch/ketter" "$@" &
	bench=$!
	# shellcheck disable=SC2064 # bench is local
	trap "kill $bench 2>/dev/null || true" INT TERM HUP # it removes what it made, then this script does
	while :; do
		wait "$bench" && status=0 || status=$?
		kill -0 "$bench" 2>/dev/null || return "$status"
	done
}

# install_missing leaves what it can't install to the benchmark, which says so in a row.
install_missing() {
	local tool missing=''
	[ -x /usr/sbin/sshd ] || missing="$missing openssh-server"
	for tool in rsync rclone; do
		have $tool || missing="$missing $tool"
	done
	[ -n "${DB_URL:-}" ] || postgres_bindir >/dev/null || missing="$missing postgresql"
	[ -n "$missing" ] && is_root && have apt-get || return 0
	# shellcheck disable=SC2086 # a list
	(install_packages $missing) >&2 || true
}

cleanup() {
	stop_postgres
	[ -z "$scratch" ] || rm -rf "$scratch"
}

main "$@"
