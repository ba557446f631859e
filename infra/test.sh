#!/usr/bin/env bash
# All that CI checks, in one command: installs what the tests need if it is missing, then runs every step, to the end even
# when one fails, and shows a table. The last line names what failed.
#
#   infra/test.sh [STEP...]    only these steps, by the names in the table
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

TOOLS=-modfile=infra/tools/go.mod
results=''
failed=''

main() {
	cd "$ROOT"
	require_go
	install_missing
	make_scratch
	trap cleanup EXIT
	trap 'exit 130' INT TERM

	step gofmt check_gofmt "$@"
	step vet go_vet "$@"
	step vet-darwin vet_darwin "$@"
	step tidy go_tidy "$@"
	step build build_ketter "$ROOT/bin/ketter" "$@"
	step config-docs check_config_docs "$@"
	step sqlc check_sqlc "$@"
	step openapi check_openapi "$@"
	step lint lint "$@"
	step tests run_tests "$@"

	say ''
	printf '%s' "$results"
	[ -z "$failed" ] || die "FAILED:$failed"
	say "All steps passed."
}

# ---- Steps

check_gofmt() {
	local files
	files=$(find . -name '*.go' -not -path './dev_data/*' -not -path './.ketter/*' -exec gofmt -l {} +) || return 1
	[ -z "$files" ] || { say "These files are not formatted (gofmt -w mends them):" "$files"; return 1; }
}

go_vet() {
	go vet ./... || return 1
	is_macos || (cd infra/latencyfs && CGO_ENABLED=0 go vet ./...) # a module of its own, for Linux alone
}
vet_darwin() { CGO_ENABLED=0 GOOS=darwin go vet ./...; }
go_tidy() {
	go mod tidy -diff && go mod verify || return 1
	(cd infra/latencyfs && go mod tidy -diff && go mod verify)
}
check_sqlc() { (cd db && CGO_ENABLED=0 go tool -modfile="$ROOT/infra/tools/go.mod" sqlc diff); }

# check_openapi makes server and client of the contract anew, elsewhere, and compares.
check_openapi() {
	local made
	for made in server client; do
		sed "s|^output:.*|output: $scratch/$made.gen.go|" "httpapi/codegen/$made.yaml" >"$scratch/$made.yaml"
		(cd httpapi && CGO_ENABLED=0 go tool -modfile="$ROOT/infra/tools/go.mod" oapi-codegen -config "$scratch/$made.yaml" openapi.yaml) || return 1
	done
	diff -u httpapi/server.gen.go "$scratch/server.gen.go" && diff -u httpapi/client/client.gen.go "$scratch/client.gen.go" || {
		say "The generated code isn't what httpapi/openapi.yaml says; \`go generate ./httpapi\` makes it."
		return 1
	}
}

lint() { go tool $TOOLS golangci-lint run ./...; }

check_config_docs() {
	go run -buildvcs=false ./cmd/ketter config --markdown >"$scratch/configuration.md" || return 1
	diff -u docs/configuration.md "$scratch/configuration.md" || {
		say "docs/configuration.md is not what the code says: ketter config --markdown > docs/configuration.md"
		return 1
	}
}

run_tests() {
	start_postgres "${QUICK_POSTGRES[@]}" || return 1
	export KETTER_TEST_DB_URL=$SERVER_URL
	CGO_ENABLED=1 go test -race -count=1 -timeout 15m ./... || return 1
	is_macos || (cd infra/latencyfs && CGO_ENABLED=0 go test -count=1 ./...)
}

# ---- Running them

# step NAME COMMAND [ARGUMENT] [WANTED STEPS] runs a step, shows what it says when it fails, and notes how long it took.
step() {
	local name=$1 command=$2 begun=$SECONDS result=ok log=$scratch/$1.log
	shift 2
	local arguments=()
	if [ "$command" = build_ketter ]; then
		arguments=("$1")
		shift
	fi
	wanted "$name" "$@" || return 0
	printf '%-12s ' "$name"
	# In a condition set -e does not count inside the step: each ends with the status that matters.
	if ! "$command" ${arguments[@]+"${arguments[@]}"} >"$log" 2>&1; then
		result=FAILED
		failed="$failed $name"
	fi
	printf '%-7s %4d s\n' "$result" $((SECONDS - begun))
	results="$results$(printf '%-12s %-7s %4d s' "$name" "$result" $((SECONDS - begun)))"$'\n'
	show "$name" "$result" "$log"
}

wanted() {
	local name=$1 each
	shift
	[ $# -gt 0 ] || return 0
	for each; do [ "$each" = "$name" ] && return 0; done
	return 1
}

show() {
	if [ "$2" = FAILED ]; then
		tail -n 200 "$3"
	elif [ "$1" = tests ]; then
		grep -v 'no test files' "$3" | tail -n 40
	fi
}

cleanup() {
	stop_postgres
	[ -z "$scratch" ] || rm -rf "$scratch"
}

# ---- What the tests need

install_missing() {
	local missing=''
	if is_macos; then
		postgres_bindir >/dev/null || missing="$missing postgresql@16"
		have redis-server || missing="$missing redis"
		[ -z "$missing" ] && return
		have brew || die "Please install these: $missing (with Homebrew, https://brew.sh: brew install$missing)"
		# shellcheck disable=SC2086 # a list
		brew install --quiet $missing
		return
	fi
	have gcc || missing="$missing gcc"
	[ -e /usr/include/stdlib.h ] || missing="$missing libc6-dev"
	postgres_bindir >/dev/null || missing="$missing postgresql"
	have redis-server || missing="$missing redis-server"
	[ -x /usr/sbin/sshd ] || missing="$missing openssh-server"
	have scp || missing="$missing openssh-client"
	have curl || missing="$missing curl"
	have psql || missing="$missing postgresql-client"
	have rsync || missing="$missing rsync"
	have rclone || missing="$missing rclone"
	have unzip || missing="$missing unzip"
	have bsdtar || missing="$missing libarchive-tools"
	have busybox || missing="$missing busybox"
	have xxh64sum || missing="$missing xxhash"
	if is_root; then # who alone may mount the file systems that some tests are about
		have mkfs.btrfs || missing="$missing btrfs-progs"
		have mkfs.xfs || missing="$missing xfsprogs"
		have mkfs.ext4 || missing="$missing e2fsprogs"
		have mkfs.exfat || missing="$missing exfatprogs"
		have mount.exfat-fuse || missing="$missing exfat-fuse"
		have fusermount3 || missing="$missing fuse3"
	fi
	# shellcheck disable=SC2086 # a list
	[ -z "$missing" ] || install_packages $missing
}

main "$@"
