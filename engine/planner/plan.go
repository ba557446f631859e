// Package planner decides how a source is best transferred: file by file, or packed into one archive. It looks at the
// source and never writes anything.
package planner

import (
	"fmt"
	"strings"
	"time"

	"github.com/ketter/ketter/engine/transfer"
)

// Policy is when a folder is worth packing: more files than ZipThresholdFiles, of fewer bytes on average than
// ZipThresholdAvgSize. Both are strict.
type Policy struct {
	ZipThresholdFiles   int64
	ZipThresholdAvgSize int64 // bytes
}

// DefaultPolicy is policy v1: more than 1000 files of less than 4 MiB on average.
func DefaultPolicy() Policy {
	return Policy{ZipThresholdFiles: 1000, ZipThresholdAvgSize: 4 << 20}
}

// Plan is a verdict and the figures it rests on.
type Plan struct {
	Spec     transfer.Spec
	Strategy transfer.Strategy // DIRECT or ZIP_FIRST
	Forced   bool              // the job itself asked for the strategy
	Reason   string            // one sentence
	IsFolder bool

	Files    int64 // regular files and symbolic links
	Symlinks int64 // of those, symbolic links
	Folders  int64 // the top one included
	Bytes    int64 // of regular files
	AvgSize  int64 // Bytes / Files, rounded down
	Elapsed  time.Duration

	// Least is how many bytes, and Inodes how many inodes, any destination needs at least: holes take none, nor do further
	// names of a file.
	Least, Inodes int64

	// Lacks is what the destination can't hold, of what such sources may have: it arrives without. Symbolic links are none
	// of it: a source that has some can't be transferred to where there are none.
	Lacks []string

	// Unremovable is a name below the source that this process may not remove, "" if there is none. Only a move that can't be
	// a rename minds.
	Unremovable string

	// Unreadable are the first files that this process may not read, of a plan whose Source has Amiss.
	Unreadable []string
}

// mostUnreadable is how many of them are named.
const mostUnreadable = 5

func (p *Plan) unreadable(path string) {
	if len(p.Unreadable) < mostUnreadable {
		p.Unreadable = append(p.Unreadable, path)
	}
}

// Why is the reason, and what arrives without.
func (p Plan) Why() string {
	if len(p.Lacks) == 0 {
		return p.Reason
	}
	return p.Reason + " The destination can't hold: " + strings.Join(p.Lacks, ", ") + "."
}

// Event is how the verdict is told.
func (p Plan) Event() transfer.Event {
	return transfer.Event{
		Kind:    transfer.EventStrategyDecision,
		Message: fmt.Sprintf("%s: %s", p.Strategy, p.Why()),
		Figures: transfer.Figures{
			"strategy":       string(p.Strategy),
			"forced":         p.Forced,
			"n_files":        p.Files,
			"n_folders":      p.Folders,
			"n_symlinks":     p.Symlinks,
			"total_bytes":    p.Bytes,
			"avg_size_bytes": p.AvgSize,
			"seconds":        p.Elapsed.Seconds(),
			"lacks":          p.Lacks,
		},
	}
}
