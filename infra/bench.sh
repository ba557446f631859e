#!/usr/bin/env bash
# Times `ketter transfer` beside cp -a, rsync -a, tar | tar and rclone copy, in memory, on disk and on mounts with latency, and
# prints Markdown. As root it installs what it compares with, and drops caches where that is fair; as an ordinary user it says
# what it couldn't do. All is in infra/bench; docs/benchmarks.md says how to read the result.
#
#   infra/bench.sh --quick                                           a minute or two, to see that it works
#   infra/bench.sh --places memory --sets 2000x1KiB --ways cp,direct-none,direct-checksum --rounds 7
#   infra/bench.sh --output docs/benchmarks.md                       all of it, for hours; 16 GiB of memory and as much disk
#   infra/bench.sh --help                                            every flag
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

main() {
	local built status=0
	require_go
	install_missing
	built=$(mktemp -d)
	# shellcheck disable=SC2064 # built is local
	trap "rm -rf '$built'" EXIT
	build_ketter "$built/ketter"
	build_latencyfs "$built/latencyfs"
	(cd "$ROOT" && go build -buildvcs=false -o "$built/bench" ./infra/bench)
	"$built/bench" --ketter "$built/ketter" --latencyfs "$built/latencyfs" "$@" &
	bench=$!
	trap 'kill "$bench" 2>/dev/null || true' INT TERM HUP # it removes what it made, then this script does
	while :; do
		wait "$bench" && status=0 || status=$?
		kill -0 "$bench" 2>/dev/null || return "$status"
	done
}

# install_missing leaves what it can't install to bench, which says so in a row.
install_missing() {
	local tool missing=''
	for tool in rsync rclone; do
		have $tool || missing="$missing $tool"
	done
	[ -n "$missing" ] && is_root && have apt-get || return 0
	# shellcheck disable=SC2086 # a list
	(install_packages $missing) >&2 || true
}

build_latencyfs() { # FILE
	is_macos || (cd "$ROOT/infra/latencyfs" && CGO_ENABLED=0 go build -buildvcs=false -o "$1" .)
}

main "$@"
