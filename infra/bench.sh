#!/usr/bin/env bash
# Times `ketter transfer` beside `cp -a` on two folders, in memory where there is /dev/shm, so that what is measured is the
# work and not the disk. Rounds are interleaved, so that a slow moment hits all alike; the table shows the fastest of each.
# cp -a syncs nothing and verifies nothing: compare it with `--verify none`.
#
#   KETTER_BENCH_ROUNDS      rounds (3)
#   KETTER_BENCH_SETS        FILESxBYTES... ("2000x1024 200x1048576")
#   KETTER_BENCH_DIR         where to work (/dev/shm, else TMPDIR); needs room for the largest set three times
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

rounds=${KETTER_BENCH_ROUNDS:-3}
sets=${KETTER_BENCH_SETS:-2000x1024 200x1048576}
ways='cp direct-none direct-size direct-checksum zip-first-checksum'
work=''

main() {
	local set
	require_go
	work=$(mktemp -d "$(place)/ketter-bench.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT TERM
	build_ketter "$work/ketter"
	say "Seconds, the fastest of $rounds rounds, in $(dirname "$work")"
	say ''
	say '| Data | cp -a | DIRECT none | DIRECT size | DIRECT checksum | ZIP_FIRST checksum |'
	say '|---|---|---|---|---|---|'
	for set in $sets; do
		[[ $set =~ ^[1-9][0-9]*x[1-9][0-9]*$ ]] || die "KETTER_BENCH_SETS holds FILESxBYTES, as 2000x1024, not $set"
		measure "${set%x*}" "${set#*x}"
	done
}

place() {
	if [ -n "${KETTER_BENCH_DIR:-}" ]; then
		echo "$KETTER_BENCH_DIR"
	elif [ -d /dev/shm ] && [ -w /dev/shm ]; then
		echo /dev/shm
	else
		echo "${TMPDIR:-/tmp}"
	fi
}

measure() { # FILES BYTES
	local round way row="| $1 × $2 bytes" base fastest
	make_files "$1" "$2"
	rm -f "$work"/time.*
	for ((round = 1; round <= rounds; round++)); do
		for way in $ways; do
			mkdir "$work/to"
			once "$way"
			[ "$round" -gt 1 ] || diff -r "$work/from" "$work/to/from" >&2 || die "$way: source and destination differ"
			rm -rf "$work/to"
		done
	done
	base=$(sort -n "$work/time.cp" | head -n 1)
	for way in $ways; do
		fastest=$(sort -n "$work/time.$way" | head -n 1)
		row="$row | $(awk -v t="$fastest" -v b="$base" 'BEGIN { printf "%.3f (%.2f×)", t / 1e3, t / (b ? b : 1) }')"
	done
	say "$row |"
	rm -rf "$work/from"
}

make_files() { # FILES BYTES, in folders of 100
	local i
	mkdir "$work/from"
	for ((i = 0; i < $1; i++)); do
		((i % 100)) || mkdir "$work/from/$((i / 100))"
		head -c "$2" /dev/urandom >"$work/from/$((i / 100))/take_$i.wav"
	done
}

# once notes the milliseconds that one copy took.
once() { # WAY
	local begun ended strategy=${1%-*} verify=${1##*-}
	begun=$(now)
	if [ "$1" = cp ]; then
		cp -a "$work/from" "$work/to/"
	else
		"$work/ketter" transfer --from "$work/from" --to "$work/to" --mode copy --strategy "$strategy" --verify "$verify" \
			>"$work/log" 2>&1 || { cat "$work/log" >&2; die "ketter transfer failed: $1"; }
	fi
	ended=$(now)
	echo $((ended - begun)) >>"$work/time.$1"
}

# now prints milliseconds. Bash 5 has a clock; the date of macOS knows no fractions, but its perl does.
now() {
	local t=${EPOCHREALTIME:-}
	if [ -n "$t" ]; then
		t=${t/[.,]/}
		echo $((t / 1000))
	else
		perl -MTime::HiRes=time -e 'printf "%d\n", time * 1000'
	fi
}

main
