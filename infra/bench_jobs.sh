#!/usr/bin/env bash
# Measures what a job costs beside its bytes, and prints Markdown: how long it waits when nothing else is to be done, and how
# many tiny ones are done in a second. It starts `ketter serve` and `ketter worker` for it, and, unless DB_URL and REDIS_URL name
# others, a PostgreSQL with its usual settings and a Redis, all on the loopback and gone at the end.
#
#   infra/bench_jobs.sh                                  a minute or two
#   infra/bench_jobs.sh --concurrency 8 --workers 2
#   infra/bench_jobs.sh --help                           every flag
#   POSTGRES="-c synchronous_commit=off" infra/bench_jobs.sh      with other settings of that PostgreSQL
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

redis_pid=''

main() {
	require_go
	have redis-server || [ -n "${REDIS_URL:-}" ] || install_packages redis-server >&2
	postgres_bindir >/dev/null || [ -n "${DB_URL:-}" ] || install_packages postgresql >&2
	make_scratch
	trap cleanup EXIT
	trap 'exit 130' INT TERM HUP
	build_ketter "$scratch/ketter"
	(cd "$ROOT" && go build -buildvcs=false -o "$scratch/bench-jobs" ./infra/benchjobs)
	if [ -z "${DB_URL:-}" ]; then
		# shellcheck disable=SC2086 # a list
		start_postgres ${POSTGRES:-}
		export DB_URL=$SERVER_URL
	fi
	[ -n "${REDIS_URL:-}" ] || start_redis
	"$scratch/bench-jobs" --ketter "$scratch/ketter" "$@"
}

start_redis() {
	local port=$((20000 + RANDOM % 12000))
	redis-server --bind 127.0.0.1 --port "$port" --save '' --appendonly no --dir "$scratch" >"$scratch/redis.log" 2>&1 &
	redis_pid=$!
	export REDIS_URL=redis://127.0.0.1:$port
}

cleanup() {
	[ -z "$redis_pid" ] || stop_process "$redis_pid" TERM 10 || true
	stop_postgres
	rm -rf "$scratch"
}

main "$@"
