package lab

import (
	"context"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// prefix begins the names of all folders and portals that labs make.
const prefix = "ketter_lab-"

// ours are those names alone: others don't get into a command that somebody types.
var ours = regexp.MustCompile(`^` + regexp.QuoteMeta(prefix) + `[A-Z2-7]{8}$`)

// tellLeft names what labs that were killed have left. It removes nothing: what others make who are running now looks the same.
func (l *lab) tellLeft(ctx context.Context) {
	var undo []string
	for _, folder := range l.foldersLeft() {
		undo = append(undo, "rm -r '"+folder+"'")
	}
	for _, portal := range l.portalsLeft(ctx) {
		undo = append(undo, "ketter portals rm "+portal)
	}
	if len(undo) > 0 {
		l.say("Warning: labs that were killed have left something, unless others are running right now. If none are, and none of their jobs: %s",
			strings.Join(undo, "; "))
	}
}

// foldersLeft are those beside the labs' own.
func (l *lab) foldersLeft() (left []string) {
	for _, dir := range []string{l.Source.Here, l.Destination.Here, l.SmallRoot} {
		names, _ := entriesOf(dir) // whoever needs it says what is wrong with it
		for _, name := range names {
			if ours.MatchString(name) {
				left = append(left, filepath.Join(dir, name))
			}
		}
	}
	slices.Sort(left)
	return slices.Compact(left)
}

func (l *lab) portalsLeft(ctx context.Context) (left []string) {
	portals, _ := l.api.Portals(ctx) // the first job says what is wrong with the API
	for _, portal := range portals {
		if ours.MatchString(portal.Name) {
			left = append(left, portal.Name)
		}
	}
	return left
}
