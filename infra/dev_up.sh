#!/usr/bin/env bash
# From a fresh checkout to a running Ketter that has done one real job: installs PostgreSQL's binaries if they are missing
# (nothing else), builds, starts `ketter up` in the background, posts a job and shows what came of it. Run again, it says
# where the running one is.
#
#   infra/dev_up.sh              one process, with a private PostgreSQL and Redis
#   infra/dev_up.sh --compose    containers: API, worker, PostgreSQL and Redis (docs/compose.md). It needs a Docker engine and its
#                                compose; passwords and a token of the API are random, in infra/.env. Run again, it brings them to this checkout.
#
#   KETTER_LISTEN     where the API listens (127.0.0.1:8000); of containers its port alone counts, when infra/.env is made
#   KETTER_STATE_DIR  where the private database lives (.ketter of this checkout)
#   KETTER_ALLOWED_ROOTS  folders that jobs may use beside dev_data; containers see those of infra/docker-compose.yml
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# shellcheck source=lib_compose.sh
. "$ROOT/infra/lib_compose.sh"

listen=${KETTER_LISTEN:-127.0.0.1:8000}
ADDRESS=$listen
case $ADDRESS in *:0) die "Port 0 is none that anybody could find: choose one, as KETTER_LISTEN=127.0.0.1:8001." ;; esac
case $ADDRESS in :* | 0.0.0.0:* | '[::]:'*) ADDRESS=127.0.0.1:${ADDRESS##*:} ;; esac
state=${KETTER_STATE_DIR:-$ROOT/.ketter}
data=$ROOT/dev_data
seen=$data # dev_data, as jobs see it
log=$state/ketter.log
pidfile=$state/ketter.pid
TOKEN=${KETTER_API_TOKEN:-} # where KETTER_API_TOKENS_FILE asks for one
stop=infra/dev_down.sh
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

main() {
	case "$*" in
	'') up_here ;;
	--compose) up_in_containers ;;
	*) die "Usage: infra/dev_up.sh [--compose]" ;;
	esac
}

up_here() {
	mkdir -p "$state"
	[ -w "$state" ] || die "$state belongs to another user: run this as that user, or set KETTER_STATE_DIR to a folder of yours."
	state=$(cd "$state" && pwd -P)
	if is_running; then
		say "Ketter is running already (pid $(cat "$pidfile"))."
		wait_ready
		print_urls
		return
	fi
	! somebody_listens || die "Something else listens on $ADDRESS already: stop it, or choose another address with KETTER_LISTEN=127.0.0.1:8001."
	require_go
	require_postgres
	say "Building bin/ketter"
	build_ketter "$ROOT/bin/ketter"
	start
	wait_ready
	make_dataset
	run_job
	print_urls
}

up_in_containers() {
	seen=/data log='docker compose logs, in infra' stop='infra/dev_down.sh --compose'
	require_docker
	make_env
	make_tokens
	TOKEN=$(env_value KETTER_API_TOKEN)
	ADDRESS=127.0.0.1:$(env_value KETTER_PORT)
	[ -n "$(containers_of api)" ] || ! somebody_listens ||
		die "Something else listens on $ADDRESS already: stop it, or choose another KETTER_PORT in $ENV_FILE."
	make_dataset
	mkdir -p "$ROOT/docs/dku_reports"
	give_to_containers "$data" "$data/delivered" "$data/source" "$ROOT/docs/dku_reports"
	start_containers
	await_healthy
	await_all_seen
	run_job
	print_urls
}

# await_all_seen waits until the API has seen the worker's heartbeat, too.
await_all_seen() {
	local deadline=$((SECONDS + 60))
	until http GET /readyz >"$answer" && [ "$(json_field status <"$answer")" = ready ]; do
		[ $SECONDS -lt $deadline ] || { pretty "$answer" >&2; die "The API is not ready after 60 s: see above, and $log."; }
		sleep 0.5
	done
}

somebody_listens() { (exec 3<>"/dev/tcp/${ADDRESS%:*}/${ADDRESS##*:}") 2>/dev/null; }

is_running() { [ -s "$pidfile" ] && is_our_ketter "$(cat "$pidfile")" "$state"; }

require_postgres() {
	if [ -n "${DB_URL:-}" ] || postgres_bindir >/dev/null; then return; fi
	if is_macos; then
		have brew || die "PostgreSQL is missing: install Homebrew (https://brew.sh) and run this again, or set DB_URL to a running server."
		say "Installing postgresql@16"
		brew install --quiet postgresql@16 >/dev/null
	else
		install_packages postgresql
	fi
}

# start leaves ketter in a session of its own, so that closing this terminal does not end it.
start() {
	local own_session=nohup
	have setsid && own_session='nohup setsid'
	allow_roots "$data"
	say "Starting ketter up (log: $log)"
	[ -s "$log" ] && mv "$log" "$log.1"
	cd "$ROOT"
	# shellcheck disable=SC2086 # two words
	$own_session bin/ketter up "--listen=$listen" ${ALLOW_FLAG:+"$ALLOW_FLAG"} "--state-dir=$state" >"$log" 2>&1 </dev/null &
	echo $! >"$pidfile"
}

wait_ready() {
	local deadline=$((SECONDS + 120))
	until http GET /readyz >"$answer" && [ "$HTTP_STATUS" = 200 ]; do
		if [ -z "$(command_of "$(cat "$pidfile")")" ]; then
			tail -n 20 "$log" >&2 || true
			die "ketter up ended before it was ready; the lines above are the end of $log."
		fi
		if [ $SECONDS -ge $deadline ]; then
			cat "$answer" >&2
			tail -n 20 "$log" >&2 || true
			die "ketter up is not ready after 120 s, and still runs: infra/dev_down.sh stops it. The lines above are the end of $log."
		fi
		sleep 0.2
	done
}

# make_dataset makes a small session such as studios send: many short takes and one long file.
make_dataset() {
	local audio="$data/source/Session 01/Audio Files" i
	[ -s "$audio/mix.wav" ] && return
	mkdir -p "$audio"
	for i in 01 02 03 04 05 06 07 08 09 10 11 12; do
		head -c 65536 /dev/urandom >"$audio/take_$i.wav"
	done
	printf 'A session made by infra/dev_up.sh\n' >"$data/source/Session 01/notes.txt"
	head -c 16777216 /dev/urandom >"$audio/mix.wav"
}

run_job() {
	local id status deadline=$((SECONDS + 120)) destination
	destination=delivered/$(date +%Y%m%d-%H%M%S)-$$
	http POST /jobs "$(job_json "$seen/source/Session 01" "$seen/$destination")" >"$answer" || die "The API does not answer any more: see $log."
	[ "$HTTP_STATUS" = 201 ] || { pretty "$answer" >&2; die "The job was not accepted (HTTP $HTTP_STATUS)."; }
	id=$(json_field id <"$answer")
	say "Posted job $id: copy of $seen/source/Session 01"
	while :; do
		http GET "/jobs/$id" >"$answer" || die "The API does not answer any more: see $log."
		status=$(json_field status <"$answer")
		case $status in success | failed | cancelled) break ;; esac
		[ $SECONDS -lt $deadline ] || { pretty "$answer" >&2; die "Job $id is still $status after 120 s: see $log."; }
		sleep 0.2
	done
	http GET "/jobs/$id/detail" >"$answer" || die "The API does not answer any more: see $log."
	pretty "$answer"
	[ "$status" = success ] || die "Job $id ended as $status: see its error above."
	diff -r "$data/source/Session 01" "$data/$destination/Session 01" >&2 || die "Job $id says success, but source and destination differ."
	say "Job $id: success, source and destination are identical."
}

job_json() { # SOURCE DESTINATION
	printf '{"source_path": %s, "destination_path": %s, "mode": "copy"}' "$(json_string "$1")" "$(json_string "$2")"
}

print_urls() {
	local token='' place=''
	if [ -n "$TOKEN" ]; then
		# shellcheck disable=SC2016 # to be expanded by whoever types it
		token='-H "Authorization: Bearer $KETTER_API_TOKEN" '
		if [ "$seen" = /data ]; then
			# shellcheck disable=SC2016
			token='-H "Authorization: Bearer $(sed -n s/^KETTER_API_TOKEN=//p infra/.env)" ' place=' of infra/.env'
		fi
		say "
The API asks for a token, KETTER_API_TOKEN$place; in a browser it is the password, with any user name."
	fi
	say "
API         http://$ADDRESS/jobs
River UI    http://$ADDRESS/riverui/
Log         $log

Another job:
  curl -sS ${token}http://$ADDRESS/jobs -H 'Content-Type: application/json' \\
    -d '$(job_json "$seen/source/Session 01" "$seen/delivered/again-$(date +%H%M%S)")'

To stop it: $stop"
}

main "$@"
