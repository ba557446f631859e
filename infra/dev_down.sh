#!/usr/bin/env bash
# Stops what infra/dev_up.sh started. With --wipe it then removes the state directory with its database, for good; it asks
# first, or is told --yes. What lies in dev_data stays.
#
#   infra/dev_down.sh [--wipe [--yes]]
#   infra/dev_down.sh --compose [--volumes [--yes]]    what dev_up.sh --compose started; --volumes removes its database
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=lib_compose.sh
. "$ROOT/infra/lib_compose.sh"

state=${KETTER_STATE_DIR:-$ROOT/.ketter}
wipe='' yes='' containers='' volumes=''

main() {
	for argument; do
		case $argument in
		--wipe) wipe=1 ;;
		--yes) yes=1 ;;
		--compose) containers=1 ;;
		--volumes) volumes=1 ;;
		*) usage ;;
		esac
	done
	if [ -n "$containers" ]; then
		[ -z "$wipe" ] || usage
		down_of_containers
	else
		[ -z "$volumes" ] || usage
		down_here
	fi
}

usage() { die "Usage: infra/dev_down.sh [--wipe [--yes]], or infra/dev_down.sh --compose [--volumes [--yes]]"; }

down_of_containers() {
	[ -e "$ENV_FILE" ] || { say "Nothing is running: there is no $ENV_FILE."; return; }
	require_docker
	if [ -z "$volumes" ]; then
		compose down --remove-orphans
		return
	fi
	confirm --volumes "Remove the database of $(env_value COMPOSE_PROJECT_NAME) with all jobs, their history and the portals?"
	compose down --remove-orphans --volumes
}

down_here() {
	if [ ! -d "$state" ]; then
		say "Nothing is running: there is no $state."
		return
	fi
	state=$(cd "$state" && pwd -P)
	stop_ketter
	refuse_anothers
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

# refuse_anothers ends the script where a `ketter up` runs on the state that dev_up.sh didn't start.
refuse_anothers() {
	local pid
	pid=$(cat "$state/lock" 2>/dev/null || true)
	[ -n "$pid" ] || return 0
	case "$(command_of "$pid")" in
	*ketter*' up'*) die "A ketter that dev_up.sh didn't start (pid $pid) runs on $state: stop it first (kill $pid), then try again. Nothing was touched." ;;
	esac
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
	local link home
	[ -e "$state/lock" ] || die "$state does not look like a state directory of ketter: it is not removed."
	confirm --wipe "Remove $state with all jobs and their history?"
	for link in "$state"/postgres-*; do
		[ -L "$link" ] || continue
		home=$(dirname "$(readlink "$link")")
		[ -f "$home/STATE_DIR" ] && rm -rf "$home" # made by ketter, for this state alone
	done
	rm -rf "$state"
	say "Removed $state."
}

confirm() { # FLAG QUESTION
	local reply
	[ -z "$yes" ] || return 0
	[ -t 0 ] || die "$1 removes all jobs and their history: say $1 --yes."
	read -r -p "$2 [y/N] " reply
	[ "$reply" = y ] || die "Nothing was removed."
}

main "$@"
