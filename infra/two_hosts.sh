#!/usr/bin/env bash
# A test bed of two hosts, LAB and SRVTRF, left for play: network namespaces with addresses of their own on a cable between
# them, folders that the other one can't see, a real sshd on SRVTRF, and on LAB a Ketter that knows both as portals. Needs
# root, for the namespaces; --loopback does without, on addresses of this machine alone.
#
#   infra/two_hosts.sh [up] [--delay 10ms] [--loopback]     10ms for each way: 20 ms round trip
#   infra/two_hosts.sh lab COMMAND...                       runs a command on LAB; so does srvtrf
#   infra/two_hosts.sh down [--wipe]                        ends all of it; --wipe removes its folders, too
#
# KETTER_BED_DIR is where it all is (/var/lib/ketter-bed; with --loopback .ketter-bed of this checkout).
#
#   LAB     10.77.0.1, and 10.77.1.2 towards this machine, where the API listens
#   SRVTRF  10.77.0.2, where sshd listens. Its accounts, which this machine doesn't have, own the same folder:
#             ketter-agent   a forced command: nothing but `ketter agent` on the media folder
#             ketter-files   SFTP alone, in a chroot
#             ketter-shell   an ordinary account
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

OWNER=64077 # who owns SRVTRF's media: a number that no account of this machine has
ACCOUNTS='agent files shell'
delay='' loopback='' wipe='' delayed_by=''
answer=''

main() {
	local command=up
	case ${1:-} in up | down | lab | srvtrf) command=$1 && shift ;; esac
	if [ "$command" = lab ] || [ "$command" = srvtrf ]; then
		choose_places
		[ -n "$loopback" ] || need_root
		[ $# -gt 0 ] || set -- bash
		on_host "$command" "$@"
		return
	fi
	while [ $# -gt 0 ]; do
		case $1 in
		--delay) delay=${2:-} && shift ;;
		--loopback) loopback=1 ;;
		--wipe) wipe=1 ;;
		*) die "What is $1? See the head of infra/two_hosts.sh." ;;
		esac
		shift
	done
	case $delay in '' | *[0-9]ms) ;; *) die "A delay is written as 10ms, not '$delay'." ;; esac
	choose_places
	"$command"
}

# choose_places: what is up tells how it was made.
choose_places() {
	[ ! -e "${KETTER_BED_DIR:-$ROOT/.ketter-bed}/loopback" ] || loopback=1
	if [ -n "$loopback" ]; then bed=${KETTER_BED_DIR:-$ROOT/.ketter-bed}; else bed=${KETTER_BED_DIR:-/var/lib/ketter-bed}; fi
	lab=$bed/lab srvtrf=$bed/srvtrf root=$bed/srvtrf/root run=$bed/run
	if [ -n "$loopback" ]; then
		api=127.0.0.1:8077 ssh_host=127.0.0.1 ssh_port=2277 sshd_listens=127.0.0.1:2277
	else
		api=10.77.1.2:8000 ssh_host=10.77.0.2 ssh_port=22 sshd_listens=10.77.0.2:22
	fi
	ADDRESS=$api
}

need_root() {
	is_root || die "Network namespaces need root: run this as root, or with --loopback for two folders, an sshd and a Ketter on this machine's loopback."
}

# ---- Up

up() {
	is_macos && die "This needs Linux."
	[ -n "$loopback" ] || need_root
	if is_running ketter && is_running sshd; then
		say "It is up already, in $bed."
		print_next
		return
	fi
	stop_all
	require_go
	install_needed
	make_folders
	say "Building ketter"
	build_ketter "$lab/bin/ketter"
	cp "$lab/bin/ketter" "$srvtrf/bin/ketter"
	(cd "$ROOT" && CGO_ENABLED=0 go build -buildvcs=false -o "$srvtrf/bin/delayproxy" ./infra/delayproxy/cmd)
	make_keys
	if [ -n "$loopback" ]; then : >"$bed/loopback"; else make_network; fi
	start_sshd
	start_ketter
	make_media
	answer=$(mktemp)
	trap 'rm -f "$answer"' EXIT
	add_portals
	print_next
}

install_needed() {
	local missing=''
	[ -x /usr/sbin/sshd ] || missing="$missing openssh-server"
	have ssh || missing="$missing openssh-client"
	[ -n "$loopback" ] || have ip || missing="$missing iproute2"
	postgres_bindir >/dev/null || missing="$missing postgresql"
	# shellcheck disable=SC2086 # a list
	[ -z "$missing" ] || install_packages $missing
}

# make_folders also looks whether sshd will accept the chroot: all above it must be root's alone.
make_folders() {
	local dir
	umask 022
	mkdir -p "$run" "$lab/media" "$lab/bin" "$lab/keys" "$srvtrf/bin" "$srvtrf/ssh/keys" "$srvtrf/home" "$root/media"
	chmod 700 "$lab/keys"
	bed=$(cd "$bed" && pwd -P)
	[ -z "$loopback" ] || return 0
	chown $OWNER:$OWNER "$root/media" "$srvtrf/home"
	dir=$root
	while [ "$dir" != / ]; do
		case $(stat -c '%u %A' "$dir") in
		'0 '?????-??-?) ;;
		*) die "$dir may be written by others than root, so sshd would refuse the chroot $root: choose another KETTER_BED_DIR." ;;
		esac
		dir=$(dirname "$dir")
	done
}

make_keys() {
	local account options
	[ -e "$srvtrf/ssh/host_key" ] || ssh-keygen -q -t ed25519 -N '' -C srvtrf -f "$srvtrf/ssh/host_key"
	for account in $ACCOUNTS; do
		[ -e "$lab/keys/$account" ] || ssh-keygen -q -t ed25519 -N '' -C "lab to $account" -f "$lab/keys/$account"
		options=''
		case $account in
		agent) options="restrict,command=\"'$srvtrf/bin/ketter' agent --root '$root/media'\" " ;;
		files) options='restrict,command="internal-sftp" ' ;;
		esac
		printf '%s%s\n' "$options" "$(cat "$lab/keys/$account.pub")" >"$srvtrf/ssh/keys/$(account_name "$account")"
	done
	[ -z "$loopback" ] || cat "$srvtrf/ssh/keys/ketter-"* >"$srvtrf/ssh/keys/$(id -un)"
	[ -e "$lab/keys/secret" ] || (umask 077 && head -c 32 /dev/urandom | base64 >"$lab/keys/secret")
	write_ssh_config >"$lab/keys/ssh_config"
	printf '%s %s\n' "$(known_as)" "$(cut -d' ' -f1,2 "$srvtrf/ssh/host_key.pub")" >"$lab/keys/known_hosts"
}

account_name() { printf 'ketter-%s' "$1"; }
login_name() { if [ -n "$loopback" ]; then id -un; else account_name "$1"; fi; }
known_as() { if [ "$ssh_port" = 22 ]; then echo "$ssh_host"; else echo "[$ssh_host]:$ssh_port"; fi; }

write_ssh_config() {
	local account
	for account in $ACCOUNTS; do
		printf 'Host srvtrf-%s\n\tHostName %s\n\tPort %s\n\tUser %s\n\tIdentityFile "%s"\n\tIdentitiesOnly yes\n\tIdentityAgent none\n\tUserKnownHostsFile "%s"\n' \
			"$account" "$ssh_host" "$ssh_port" "$(login_name "$account")" "$lab/keys/$account" "$lab/keys/known_hosts"
	done
}

# make_network lays the cable. Files below /etc/netns take the place of those of /etc in a namespace (ip-netns(8)): so the accounts
# are SRVTRF's alone.
make_network() {
	local host account
	for host in lab srvtrf; do
		ip netns add "ketter-$host"
		ip -n "ketter-$host" link set lo up
		mkdir -p "/etc/netns/ketter-$host"
		printf '127.0.0.1 localhost\n10.77.0.1 lab\n10.77.0.2 srvtrf\n' >"/etc/netns/ketter-$host/hosts"
	done
	ip link add kt-cable netns ketter-lab type veth peer name kt-cable netns ketter-srvtrf
	ip link add ketter-lab type veth peer name kt-machine netns ketter-lab
	ip -n ketter-lab address add 10.77.0.1/24 dev kt-cable
	ip -n ketter-srvtrf address add 10.77.0.2/24 dev kt-cable
	ip address add 10.77.1.1/24 dev ketter-lab
	ip -n ketter-lab address add 10.77.1.2/24 dev kt-machine
	ip link set ketter-lab up
	ip -n ketter-lab link set kt-machine up
	ip -n ketter-lab link set kt-cable up
	ip -n ketter-srvtrf link set kt-cable up
	cp /etc/passwd /etc/netns/ketter-srvtrf/passwd
	cp /etc/group /etc/netns/ketter-srvtrf/group
	for account in $ACCOUNTS; do
		printf '%s:*:%s:%s:Ketter test bed:%s:/bin/bash\n' "$(account_name "$account")" $OWNER $OWNER "$srvtrf/home" >>/etc/netns/ketter-srvtrf/passwd
	done
	printf 'ketter-media:*:%s:\n' $OWNER >>/etc/netns/ketter-srvtrf/group
}

# on_host HOST COMMAND... becomes the command, on that host: its network, its name, and nothing of the other's folders.
on_host() {
	local host=$1 other=$srvtrf
	shift
	if [ -n "$loopback" ]; then exec "$@"; fi
	[ "$host" = lab ] || other=$lab
	ip netns list | grep -q "^ketter-$host\\b" || die "It is not up: infra/two_hosts.sh"
	# shellcheck disable=SC2016 # expanded by the shell that runs it
	exec ip netns exec "ketter-$host" unshare --uts sh -c '
		mount -t tmpfs -o size=64k,mode=000 none "$1" && hostname "$2" && shift 2 && exec "$@"' \
		sh "$other" "$(printf %s "$host" | tr '[:lower:]' '[:upper:]')" "$@"
}

# start_on HOST NAME COMMAND... leaves a process in a session of its own, so that closing this terminal doesn't end it.
start_on() {
	local host=$1 name=$2
	shift 2
	(
		trap '' HUP
		on_host "$host" setsid "$@"
	) >>"$bed/$host/$name.log" 2>&1 </dev/null &
	echo $! >"$run/$name.pid"
}

start_sshd() {
	mkdir -p /run/sshd 2>/dev/null || true # sshd insists on it as root
	delay_the_cable
	write_sshd_config >"$srvtrf/ssh/sshd_config"
	start_on srvtrf sshd /usr/sbin/sshd -D -e -f "$srvtrf/ssh/sshd_config"
	[ "$delayed_by" != proxy ] || start_on srvtrf delayproxy "$srvtrf/bin/delayproxy" --listen "$ssh_host:$ssh_port" --target "$sshd_listens" --delay "$delay"
	await 30 "SRVTRF's sshd does not let LAB in: see $srvtrf/sshd.log" lab_reaches_srvtrf
}

# delay_the_cable has the kernel do it where it can, else a proxy before sshd.
delay_the_cable() {
	[ -n "$delay" ] || return 0
	if [ -z "$loopback" ] && ip netns exec ketter-lab tc qdisc add dev kt-cable root netem delay "$delay" limit 100000 2>/dev/null &&
		ip netns exec ketter-srvtrf tc qdisc add dev kt-cable root netem delay "$delay" limit 100000 2>/dev/null; then
		delayed_by=netem
	else
		delayed_by=proxy
		sshd_listens=127.0.0.1:2278
	fi
}

write_sshd_config() {
	cat <<-END
		ListenAddress $sshd_listens
		HostKey "$srvtrf/ssh/host_key"
		AuthorizedKeysFile "$srvtrf/ssh/keys/%u"
		PidFile none
		UsePAM no
		PasswordAuthentication no
		KbdInteractiveAuthentication no
		PrintMotd no
		Subsystem sftp internal-sftp
	END
	if [ -n "$loopback" ]; then
		echo 'StrictModes no'
		echo "SetEnv \"HOME=$srvtrf/home\"" # no start-up files of the user's
		return
	fi
	cat <<-END
		AllowUsers ketter-agent ketter-files ketter-shell
		Match User ketter-files
			ChrootDirectory "$root"
			ForceCommand internal-sftp
			DisableForwarding yes
	END
}

lab_reaches_srvtrf() { (on_host lab ssh -F "$lab/keys/ssh_config" -o BatchMode=yes -o ConnectTimeout=5 srvtrf-shell true) >/dev/null 2>&1; }

# await SECONDS COMPLAINT COMMAND...
await() {
	local deadline=$((SECONDS + $1)) complaint=$2
	shift 2
	until "$@"; do
		[ $SECONDS -lt $deadline ] || die "$complaint"
		sleep 0.2
	done
}

start_ketter() {
	say "Starting ketter up on LAB (log: $lab/ketter.log)"
	[ -s "$lab/keys/token" ] || (umask 077 && "$lab/bin/ketter" tokens create bed --file "$lab/keys/tokens" >"$lab/keys/token" 2>>"$lab/ketter.log")
	TOKEN=$(cat "$lab/keys/token")
	start_on lab ketter env KETTER_WORKER_LABEL=lab "KETTER_SECRET_KEY=$(cat "$lab/keys/secret")" "KETTER_API_TOKENS_FILE=$lab/keys/tokens" \
		"$lab/bin/ketter" up "--listen=$api" "--allow-root=$lab/media" "--state-dir=$lab/state"
	await 120 "Ketter is not ready: see $lab/ketter.log" ketter_is_ready
}

ketter_is_ready() {
	[ -n "$(command_of "$(cat "$run/ketter.pid")")" ] || die "Ketter ended before it was ready: see $lab/ketter.log"
	http GET /readyz >/dev/null && [ "$HTTP_STATUS" = 200 ]
}

# make_media makes what studios send: a session of 2000 short takes, and camera originals.
make_media() {
	local session="$lab/media/Session 01" reel="$lab/media/Reel 01"
	[ ! -e "$reel/A001.mov" ] || return 0
	mkdir -p "$session/Audio Files" "$reel"
	head -c 16384000 /dev/urandom | (cd "$session/Audio Files" && split -b 8192 -d -a 4 --additional-suffix=.wav - take_)
	head -c 268435456 /dev/urandom >"$reel/A001.mov"
}

add_portals() {
	add_portal LAB '"kind": "local", "worker_label": "lab", "root_path": '"$(json_string "$lab/media")"
	add_remote SRVTRF agent "$root/media" ''
	if [ -n "$loopback" ]; then add_remote SRVTRF-FILES files "$root/media" ''; else add_remote SRVTRF-FILES files /media ''; fi
	add_remote SRVTRF-SHELL shell "$root/media" ', "agent_path": '"$(json_string "$srvtrf/bin/ketter")"
}

add_remote() { # NAME ACCOUNT ROOT MORE
	add_portal "$1" '"kind": "sftp", "host": "'"$ssh_host"'", "port": '"$ssh_port"', "username": "'"$(login_name "$2")"'", "root_path": '"$(json_string "$3")"', "host_key": "'"$(cut -d' ' -f1,2 "$srvtrf/ssh/host_key.pub")"'", "credential": {"private_key": "'"$(awk '{printf "%s\\n", $0}' "$lab/keys/$2")"'"}'"$4"
}

add_portal() { # NAME FIELDS
	http POST /portals '{"name": "'"$1"'", '"$2"'}' >"$answer" || die "The API does not answer any more: see $lab/ketter.log"
	case $HTTP_STATUS in
	201) say "Portal $1 is there." ;;
	409) say "Portal $1 is there from before." ;;
	*) warn "Portal $1 could not be made (HTTP $HTTP_STATUS): $(cat "$answer")" ;;
	esac
}

print_next() {
	local curl host=$ROOT/infra/two_hosts.sh apart="; neither host sees the other's"
	[ -z "$loopback" ] || apart=''
	curl="curl -sS -H \"Authorization: Bearer \$(cat $lab/keys/token)\""
	say "
API         http://$api/jobs
River UI    http://$api/riverui/, with the token of $lab/keys/token as the password
LAB         $lab/media
SRVTRF      $root/media$apart
Portals     LAB, SRVTRF (agent), SRVTRF-FILES (SFTP alone), SRVTRF-SHELL (an ordinary account)

A copy of 2000 takes, then a move of a large file, and a copy back:
  $curl http://$api/jobs -H 'Content-Type: application/json' -d '$(next_job LAB '/Session 01' SRVTRF /delivered copy)'
  $curl http://$api/jobs -H 'Content-Type: application/json' -d '$(next_job LAB '/Reel 01' SRVTRF-FILES /archive move)'
  $curl http://$api/jobs -H 'Content-Type: application/json' -d '$(next_job SRVTRF '/delivered/Session 01' LAB /returned copy)'
What came of it, and a look from either host:
  $curl http://$api/jobs/1/detail
  $host srvtrf find $root/media -maxdepth 2
  $host lab ssh -F $lab/keys/ssh_config srvtrf-shell ls -l $root/media

To end it: $host down"
}

next_job() { # PORTAL PATH PORTAL PATH MODE
	printf '{"source_portal": "%s", "source_path": "%s", "destination_portal": "%s", "destination_path": "%s", "mode": "%s"}' "$@"
}

# ---- Down

is_running() { # NAME
	local pid
	pid=$(cat "$run/$1.pid" 2>/dev/null) || return 1
	case "$(command_of "$pid")" in *"$bed/"*) return 0 ;; esac
	return 1
}

down() {
	[ -d "$bed" ] || { say "Nothing is up: there is no $bed."; return; }
	[ -n "$loopback" ] || need_root
	stop_all
	if [ -n "$wipe" ]; then
		[ -d "$srvtrf/ssh" ] || die "$bed does not look like a test bed: it is not removed."
		rm -rf "$bed"
		say "Removed $bed."
	else
		rm -f "$bed/loopback"
	fi
}

stop_all() {
	local name host pid
	for name in ketter delayproxy sshd; do
		is_running $name || continue
		pid=$(cat "$run/$name.pid")
		stop_process "$pid" TERM 60 || die "$name (pid $pid) does not end within 60 s."
		say "Stopped $name (pid $pid)."
	done
	rm -f "$run"/*.pid
	[ -z "$loopback" ] || return 0
	for host in lab srvtrf; do
		[ -e "/run/netns/ketter-$host" ] || continue
		for pid in $(ip netns pids "ketter-$host"); do # sessions, shells, what a killed one left
			stop_process "$pid" TERM 10 || stop_process "$pid" KILL 5 || true
		done
		ip netns delete "ketter-$host" # and its end of the cables with it
		rm -rf "/etc/netns/ketter-$host"
		say "Removed the namespace ketter-$host."
	done
	rmdir /etc/netns 2>/dev/null || true
}

main "$@"
