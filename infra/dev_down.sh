#!/usr/bin/env bash
# Stops what infra/dev_up.sh started. With --wipe it then removes the state directory with its database, for good; it asks
# first, or is told --yes. What lies in dev_data stays.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

state=${KETTER_STATE_DIR:-$ROOT/.ketter}
wipe='' yes=''

main() {
	for argument; do
		case $argument in
		--wipe) wipe=1 ;;
		--yes) yes=1 ;;
		*) die "Usage: infra/dev_down.sh [--wipe [--yes]]" ;;
		esac
	done
	if [ ! -d "$state" ]; then
		say "Nothing is running: there is no $state."
		return
	fi
	state=$(cd "$state" && pwd -P)
	stop_ketter
	stop_left_servers
	[ -z "$wipe" ] || wipe_state
}

stop_ketter() {
	local pid
	pid=$(cat "$state/ketter.pid" 2>/dev/null || true)
	if [ -z "$pid" ] || ! is_our_ketter "$pid" "$state"; then
		say "Ketter is not running."
	elif stop_process "$pid" TERM 60; then
		say "Stopped ketter (pid $pid)."
	else
		die "Ketter (pid $pid) does not end within 60 s: see $state/ketter.log, then try again or kill -9 $pid."
	fi
	rm -f "$state/ketter.pid"
}

# stop_left_servers ends a PostgreSQL that a killed ketter left alive.
stop_left_servers() {
	local dir pid
	for dir in "$state"/postgres-*/; do
		pid=$(head -n 1 "$dir/postmaster.pid" 2>/dev/null || true)
		[ -n "$pid" ] || continue
		dir=$(cd "$dir" && pwd -P)
		case "$(command_of "$pid")" in
		*"postgres -D $dir "*)
			stop_process "$pid" INT 30 || die "PostgreSQL (pid $pid) does not end within 30 s: see $state/postgres.log."
			say "Stopped the PostgreSQL (pid $pid) that a killed ketter had left alive."
			;;
		esac
	done
}

wipe_state() {
	local reply link home
	[ -e "$state/lock" ] || die "$state does not look like a state directory of ketter: it is not removed."
	if [ -z "$yes" ]; then
		[ -t 0 ] || die "--wipe removes all jobs and their history: say --wipe --yes."
		read -r -p "Remove $state with all jobs and their history? [y/N] " reply
		[ "$reply" = y ] || die "Nothing was removed."
	fi
	for link in "$state"/postgres-*; do
		[ -L "$link" ] || continue
		home=$(dirname "$(readlink "$link")")
		[ -f "$home/STATE_DIR" ] && rm -rf "$home" # made by ketter, for this state alone
	done
	rm -rf "$state"
	say "Removed $state."
}

main "$@"
