package lab

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/infra/machine"
	"github.com/ketter/ketter/infra/redact"
	"github.com/ketter/ketter/infra/sample"
)

// Options are what is asked for.
type Options struct {
	Source, Destination       Side
	ReadOnlyRoot, SmallRoot   string   // folders of this host for two of the error labs; "" leaves them out
	Only                      []string // names of labs; none: all
	SmallFiles                int
	SmallSize, Big, MixBig    int64
	Sweep                     Sweep
	Rounds                    int
	Quick, Keep, KeepCaches   bool
	JobTimeout                time.Duration
	Note, Version, Invocation string    // for the report
	Progress                  io.Writer // told what happens, line by line
	Redactor                  redact.Redactor
}

// Sweep is a grid of data sets. Those of more than Most bytes are left out.
type Sweep struct {
	Files []int
	Sizes []int64
	Most  int64
}

// ParseSweep reads a grid as 50,100,500,1000x1MiB,4MiB,16MiB.
func ParseSweep(text string) (s Sweep, err error) {
	files, sizes, found := strings.Cut(text, "x")
	if !found {
		return s, fmt.Errorf("a sweep is FILES,FILES…xSIZE,SIZE…, as 50,100x1MiB,4MiB, not %q", text)
	}
	for word := range strings.SplitSeq(files, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > mostFiles {
			return s, fmt.Errorf("%q is no number of files from 1 to %d", word, mostFiles)
		}
		s.Files = append(s.Files, n)
	}
	for word := range strings.SplitSeq(sizes, ",") {
		size, err := sample.ParseSize(word)
		if err != nil {
			return s, err
		}
		s.Sizes = append(s.Sizes, size)
	}
	return s, nil
}

const (
	mostFiles  = 1_000_000
	mostRounds = 100
	mostBytes  = 1 << 50 // of a data set
)

// Check refuses what makes no sense, and what there is no room for.
func (o *Options) Check() error {
	for _, name := range o.Only {
		if !slices.Contains(Names(), name) {
			return refusal("There is no lab %q; there are %s.", name, strings.Join(Names(), ", "))
		}
	}
	switch {
	case o.Rounds < 1 || o.Rounds > mostRounds:
		return refusal("Rounds are %d; they must be from 1 to %d.", o.Rounds, mostRounds)
	case o.SmallFiles < 1 || o.SmallFiles > mostFiles:
		return refusal("Small files are %d; they must be from 1 to %d.", o.SmallFiles, mostFiles)
	case float64(o.SmallFiles)*float64(o.SmallSize) > mostBytes:
		return refusal("%d files of %s are more than %s.", o.SmallFiles, sample.BytesText(o.SmallSize), sample.BytesText(mostBytes))
	case o.JobTimeout <= 0:
		return refusal("The time that a job may take must be more than nothing.")
	case o.Source.Here == "":
		return refusal("The source %s must be a folder that this host sees: the data sets are made there.", o.Source)
	}
	return o.checkRoom()
}

func refusal(format string, args ...any) error {
	return failure.New(failure.InvalidRequest, "", fmt.Sprintf(format, args...))
}

// slack is for what file systems need besides, and for what others write meanwhile.
const slack = 64 << 20

// need is the room that a data set takes, in whole blocks.
func need(s sample.Set) int64 { return s.Bytes() + int64(s.Files())*8<<10 }

// checkRoom asks for the largest data set at the source, and for twice that at the destination: ZIP_FIRST has archive and files
// there for a while.
func (o *Options) checkRoom() error {
	largest := dataset{}
	for _, d := range o.datasets() {
		if need(d.set) > need(largest.set) {
			largest = d
		}
	}
	needed := need(largest.set) + slack
	sides := []struct {
		side  Side
		needs int64
	}{{o.Source, needed}, {o.Destination, 2 * needed}}
	if o.Destination.Here == "" {
		sides = sides[:1]
	} else if sameDevice(o.Source.Here, o.Destination.Here) {
		sides[0].needs += sides[1].needs
	}
	for _, s := range sides {
		free, err := machine.Room(s.side.Here)
		if err != nil {
			return &failure.Error{Code: failure.InvalidRequest, Message: fmt.Sprintf("%s can't be used: %v", s.side, err), Err: err,
				Hint: "Name a folder that is there, on a volume that is mounted."}
		}
		if free < s.needs {
			return &failure.Error{Code: failure.DestinationFull, Path: s.side.Here, Message: fmt.Sprintf(
				"The largest data set (%s) needs %s in %s, and %s are free", largest.set, sample.BytesText(s.needs), s.side, sample.BytesText(free)),
				Hint: "Choose smaller sizes (--big, --mix-big, --sweep-most, --quick), leave labs out (--only), or free space there."}
		}
	}
	return nil
}

func sameDevice(a, b string) bool {
	var x, y syscall.Stat_t
	return syscall.Stat(a, &x) == nil && syscall.Stat(b, &y) == nil && x.Dev == y.Dev
}

func (o *Options) wants(name string) bool { return len(o.Only) == 0 || slices.Contains(o.Only, name) }
