package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// way is how a folder gets to another place.
type way struct {
	name   string // of the flag
	title  string
	script string // for bash; $1 is the source folder and $2 the folder that receives it, $KETTER the binary
	then   string // a second script, once caches are dropped; that isn't timed, as it takes the longer the more others have cached
	tool   string // the program that must be there; none for Ketter's ways
	does   string // beyond copying
	same   string // the way that does the same work without Ketter
	move   bool
}

var ways = []way{
	{name: "cp", title: "cp -a", tool: "cp", script: `cp -a "$1" "$2"`},
	{name: "rsync", title: "rsync -a", tool: "rsync", script: `rsync -a "$1" "$2"`},
	{name: "tar", title: "tar \\| tar", tool: "tar", script: `tar -C "${1%/*}" -cf - "${1##*/}" | tar -C "$2" -xpf -`},
	{name: "rclone", title: "rclone copy", tool: "rclone", script: `rclone copy --config "" "$1" "$2/${1##*/}"`},
	{name: "cp-sync", title: "cp -a, sync", tool: "cp", script: `cp -a "$1" "$2" && sync -f "$2"`, does: "syncs"},
	{name: "cp-compare", title: "cp -a, sync, compare", tool: "diff", does: "syncs, compares every byte",
		script: `cp -a "$1" "$2" && sync -f "$2"`, then: `diff -rq "$1" "$2/${1##*/}"`},
	ketterWay("direct", "none", "syncs", "cp-sync"),
	ketterWay("direct", "size", "syncs, compares sizes", "cp-sync"),
	ketterWay("direct", "checksum", "syncs, verifies by checksum", "cp-compare"),
	ketterWay("zip-first", "none", "syncs", "cp-sync"),
	ketterWay("zip-first", "size", "syncs, compares sizes", "cp-sync"),
	ketterWay("zip-first", "checksum", "syncs, verifies by checksum", "cp-compare"),
	{name: "mv", title: "mv", tool: "mv", script: `mv "$1" "$2/"`, move: true},
	{name: "move", title: "Ketter, move", script: `"$KETTER" transfer --from "$1" --to "$2" --mode move`,
		does: "syncs, refuses to overwrite", same: "mv", move: true},
}

func ketterWay(strategy, verify, does, same string) way {
	return way{
		name:   strategy + "-" + verify,
		title:  strings.ReplaceAll(strings.ToUpper(strategy), "-", "_") + ", " + verify,
		script: fmt.Sprintf(`"$KETTER" transfer --from "$1" --to "$2" --mode copy --strategy %s --verify %s`, strategy, verify),
		does:   does,
		same:   same,
	}
}

func wayNames(ways []way) string {
	var names []string
	for _, w := range ways {
		names = append(names, w.name)
	}
	return strings.Join(names, ",")
}

func chooseWays(names, ketter string) ([]way, error) {
	var chosen []way
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(ways, func(w way) bool { return w.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no way %q, but %s", name, wayNames(ways))
		}
		if ways[i].tool == "" && ketter == "" {
			return nil, errors.New("--ketter is missing: the binary to measure")
		}
		chosen = append(chosen, ways[i])
	}
	return chosen, nil
}

// base is the way that all of a table are compared with.
func base(move bool) string {
	if move {
		return "mv"
	}
	return "cp"
}

// refusal says why a way can't run here, if so.
func (b *bench) refusal(w way, p *place) string {
	if w.tool != "" {
		if _, err := b.lookPath(w.tool); err != nil {
			return "not installed"
		}
	}
	if w.then != "" && p.hasCache() && !b.isRoot {
		return "needs root, to drop caches"
	}
	return ""
}
