# shellcheck shell=bash
# What the scripts of this folder share: Debian, Ubuntu and macOS (bash 3.2), as root and as an ordinary user, with nothing
# but Go, git and the system's package manager at hand. Sourced, never run.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die() {
	warn "$*"
	exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" -eq 0 ]; }
is_macos() { [ "$(uname -s)" = Darwin ]; }

# ---- Go

# require_go puts go on PATH and ends the script unless it is as new as go.mod wants. (A Go that may fetch newer toolchains
# answers with the one it would use.)
require_go() {
	local wanted found
	have go || PATH=$PATH:/usr/local/go/bin:/opt/homebrew/bin
	wanted=$(sed -n 's/^go //p' "$ROOT/go.mod")
	have go || die "Go is missing: install Go $wanted or newer from https://go.dev/dl/ and put it on PATH."
	found=$(cd "$ROOT" && go env GOVERSION) || die "Go $wanted or newer is needed; see above why this one won't do."
	found=${found#go}
	found=${found%%[!0-9.]*}
	version_at_least "$found" "$wanted" || die "Go $found is too old: install Go $wanted or newer from https://go.dev/dl/."
}

version_at_least() { # FOUND WANTED
	local a b c x y z IFS=.
	read -r a b c <<<"$1"
	read -r x y z <<<"$2"
	a=${a:-0} b=${b:-0} c=${c:-0} x=${x:-0} y=${y:-0} z=${z:-0}
	[ "$a" -gt "$x" ] || { [ "$a" -eq "$x" ] && { [ "$b" -gt "$y" ] || { [ "$b" -eq "$y" ] && [ "$c" -ge "$z" ]; }; }; }
}

# build_ketter FILE builds the one static binary. Its version comes from git, where there is git and it trusts this folder.
build_ketter() {
	local version=dev
	have git && version=$(cd "$ROOT" && git describe --always --dirty 2>/dev/null || echo dev)
	(cd "$ROOT" && CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags "-X main.version=$version" -o "$1" ./cmd/ketter)
}

# ---- Packages

# postgres_bindir prints the folder that holds initdb and postgres, or fails.
postgres_bindir() {
	local dir found='' link
	for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin; do
		[ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] && found=$dir
	done
	if link=$(command -v initdb); then
		while [ -L "$link" ]; do # macOS's readlink knows no -f before 12.3
			dir=$(cd "$(dirname "$link")" && cd "$(dirname "$(readlink "$link")")" && pwd -P)
			link=$dir/$(basename "$(readlink "$link")")
		done
		dir=$(dirname "$link")
		[ -x "$dir/postgres" ] && found=$dir
	fi
	[ -n "${PG_BINDIR:-}" ] && found=$PG_BINDIR
	[ -n "$found" ] && printf '%s\n' "$found"
}

# install_packages PACKAGE... installs Debian packages, and starts nothing that comes with them: /usr/sbin/policy-rc.d forbids
# services to start, and a line below createcluster.d keeps Debian from making a database cluster of its own. Both are there
# only while apt runs; a policy or setting that the machine has already is left alone.
install_packages() {
	local log
	have apt-get || die "Please install these, by this system's own means: $*"
	can_be_root || die "These packages are missing and only root can install them. Please run, as root: apt-get install $*"
	log=$(mktemp)
	say "Installing $*"
	if ! as_root bash -c "$INSTALL_SCRIPT" install "$@" >"$log" 2>&1; then
		tail -n 15 "$log" >&2
		rm -f "$log"
		die "Could not install: $*. See above; then try again, or install them by hand."
	fi
	rm -f "$log"
}

# shellcheck disable=SC2016 # expanded by the shell that runs it
INSTALL_SCRIPT='
set -eu
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d setting=/etc/postgresql-common/createcluster.d/ketter-no-cluster.conf made=
trap "for file in \$made; do rm -f \"\$file\"; done" EXIT
if [ ! -e $policy ]; then
	made="$made $policy"
	printf "#!/bin/sh\nexit 101\n" >$policy
	chmod 755 $policy
fi
mkdir -p "${setting%/*}"
made="$made $setting"
echo "create_main_cluster = false" >$setting
install() { apt-get install -y -q --no-install-recommends "$@"; }
install "$@" || { apt-get update -q && install "$@"; }
if [ -d /run/systemd/system ]; then # nor at the next boot
	for package; do
		case $package in
		redis-server) systemctl disable -q redis-server ;;
		openssh-server) systemctl disable -q ssh ;;
		esac
	done
fi
'

# as_root runs a command as root.
as_root() {
	if is_root; then "$@"; else sudo "$@"; fi
}

can_be_root() {
	is_root || { have sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; }
}

# ---- Processes

# command_of PID prints the command line of a live process; ps is not on every machine.
command_of() {
	if [ -d /proc/self ]; then
		[ -r "/proc/$1/cmdline" ] && tr '\0' ' ' <"/proc/$1/cmdline"
	else
		ps -ww -o command= -p "$1"
	fi 2>/dev/null
}

# stop_process PID SIGNAL SECONDS waits until it is gone, or fails.
stop_process() {
	local left=$(($3 * 10))
	kill -s "$2" "$1" 2>/dev/null || return 0
	while [ -n "$(command_of "$1")" ]; do
		[ "$left" -gt 0 ] || return 1
		left=$((left - 1))
		sleep 0.1
	done
}

# is_our_ketter PID STATE_DIR says whether it is the `ketter up` of dev_up.sh on that state.
is_our_ketter() {
	case "$(command_of "$1")" in
	*"ketter up "*"--state-dir=$2 "* | *"ketter up "*"--state-dir=$2") return 0 ;;
	esac
	return 1
}

# allow_roots FOLDER has `ketter up` allow it, and what KETTER_ALLOWED_ROOTS names: by the variable then, for the flag replaces it.
ALLOW_FLAG=''
allow_roots() {
	ALLOW_FLAG=--allow-root=$1
	[ -n "${KETTER_ALLOWED_ROOTS:-}" ] || return 0
	say "Jobs may use $1, and what KETTER_ALLOWED_ROOTS names: $KETTER_ALLOWED_ROOTS"
	export KETTER_ALLOWED_ROOTS=$1:$KETTER_ALLOWED_ROOTS
	ALLOW_FLAG=''
}

# ---- A throw-away PostgreSQL

scratch=''
server_pid=''
SERVER_URL=''

# PostgreSQL refuses root: as root its user owns the server, else nobody.
server_user() {
	local name
	for name in postgres _postgres nobody; do
		id "$name" >/dev/null 2>&1 && echo "$name" && return
	done
}

as_server() {
	if ! is_root; then
		"$@"
	elif have setpriv; then # unlike su it becomes the command, which so keeps its pid
		setpriv --reuid="$(server_user)" --regid="$(id -g "$(server_user)")" --clear-groups -- "$@"
	else
		sudo -u "$(server_user)" -- "$@"
	fi
}

# make_scratch makes a folder that the server's user can get to: TMPDIR may lie below a private one.
make_scratch() {
	scratch=$(mktemp -d)
	chmod 755 "$scratch"
	as_server test -x "$scratch" && return
	rmdir "$scratch"
	scratch=$(mktemp -d /tmp/ketter-test.XXXXXX)
	chmod 755 "$scratch"
}

# For a server whose data nobody will miss.
QUICK_POSTGRES=(-c fsync=off -c full_page_writes=off -c synchronous_commit=off)

# start_postgres [SETTING...] starts a throw-away server in $scratch, on the loopback alone, and sets SERVER_URL. The caller
# calls stop_postgres at its end.
start_postgres() {
	local home=$scratch/postgres bin password port try
	bin=$(postgres_bindir)
	password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
	mkdir -p "$home"
	printf '%s\n' "$password" >"$home/password"
	! is_root || chown -R "$(server_user)" "$home"
	(cd "$home" && as_server env LC_ALL=C "$bin/initdb" -D "$home/data" --username=ketter --pwfile="$home/password" \
		--auth=scram-sha-256 --encoding=UTF8 --no-locale --no-sync >"$home/initdb.log" 2>&1) || { cat "$home/initdb.log"; return 1; }
	for try in 1 2 3 4 5; do
		port=$((20000 + RANDOM % 12000)) # below the ports that Linux gives to outgoing connections
		if run_postgres "$bin" "$home" "$port" "$@"; then
			SERVER_URL="postgres://ketter:$password@127.0.0.1:$port/postgres?sslmode=disable"
			return
		fi
	done
	tail -n 20 "$home/server.log"
	say "PostgreSQL did not start ($try tries)."
	return 1
}

run_postgres() { # BINDIR HOME PORT [SETTING...]
	local left=300 bin=$1 home=$2 port=$3
	shift 3
	(cd "$home" && LC_ALL=C as_server "$bin/postgres" -D "$home/data" -c listen_addresses=127.0.0.1 -c port="$port" \
		-c unix_socket_directories= -c max_connections=300 -c timezone=UTC "$@" >"$home/server.log" 2>&1) &
	local child=$!
	while [ "$left" -gt 0 ] && kill -0 "$child" 2>/dev/null; do
		if sed -n 8p "$home/data/postmaster.pid" 2>/dev/null | grep -q ready; then
			server_pid=$(head -n 1 "$home/data/postmaster.pid")
			return
		fi
		left=$((left - 1))
		sleep 0.1
	done
	return 1
}

stop_postgres() {
	[ -z "$server_pid" ] || stop_process "$server_pid" INT 20 || stop_process "$server_pid" KILL 5 || true
}

# ---- HTTP, without curl

# http METHOD PATH [JSON] asks ADDRESS (host:port), prints the body and leaves the status in HTTP_STATUS: call it with its
# output sent to a file, as a subshell would lose the status. With a TOKEN it brings that. It fails when nothing answers. HTTP/1.0, so that no answer is chunked.
http() {
	local body=${3:-} line token=''
	[ -z "${TOKEN:-}" ] || token="Authorization: Bearer $TOKEN"$'\r\n'
	HTTP_STATUS=000
	(exec 3<>"/dev/tcp/${ADDRESS%:*}/${ADDRESS##*:}") 2>/dev/null || return 1
	exec 3<>"/dev/tcp/${ADDRESS%:*}/${ADDRESS##*:}" || return 1
	printf '%s %s HTTP/1.0\r\nHost: %s\r\n%sContent-Type: application/json\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' \
		"$1" "$2" "$ADDRESS" "$token" "$(printf %s "$body" | wc -c | tr -d ' ')" "$body" >&3 || return 1
	IFS=' ' read -r -t 30 _ HTTP_STATUS _ <&3 || HTTP_STATUS=000
	while IFS= read -r -t 30 line <&3 && [ "$line" != $'\r' ]; do :; done
	while IFS= read -r -t 30 line <&3; do printf '%s\n' "$line"; done
	printf %s "${line:-}"
	exec 3<&- 3>&-
	[ "$HTTP_STATUS" != 000 ]
}

# json_string TEXT quotes a path for JSON.
json_string() {
	local text=${1//\\/\\\\}
	printf '"%s"' "${text//\"/\\\"}"
}

# json_field NAME prints the first field of that name of the JSON on standard input, when it is a plain value.
json_field() {
	tr -d '\n' | grep -Eo "\"$1\" *: *(\"[^\"]*\"|[0-9]+)" | head -n 1 | sed 's/^[^:]*: *//; s/^"//; s/"$//'
}

# pretty prints the JSON of a file as well as this machine can.
pretty() {
	if have jq; then
		jq . "$1"
	elif have python3 && python3 -c '' 2>/dev/null; then # macOS has one that only asks to be installed
		python3 -m json.tool "$1"
	else
		cat "$1" && echo
	fi
}
