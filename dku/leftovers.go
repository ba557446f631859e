package dku

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// rootLeftovers names what a DKU that was killed has left. It removes nothing: one of another host may be at work there.
func rootLeftovers(root string) func(context.Context) Finding {
	return func(ctx context.Context) Finding {
		left, err := abandoned(ctx, root, time.Now())
		switch {
		case len(left) > 0:
			names := strings.Join(left, "' '")
			return warn(fmt.Sprintf("A DKU that was killed has left '%s'.", names),
				fmt.Sprintf("If no DKU runs on another host or in a container right now, remove it by hand: rm -r '%s'", names)).with(float64(len(left)), "folders")
		case errors.Is(err, context.DeadlineExceeded):
			return ok("No DKU that was killed is known to have left anything: the root has more entries than can be looked at in time.")
		case err != nil:
			return notTold(err)
		}
		return ok("No DKU that was killed has left anything.").with(0, "folders")
	}
}

// ours are the names that the DKU gives, and gave: others don't get into a command that somebody types.
var ours = regexp.MustCompile(`^` + regexp.QuoteMeta(ScratchPrefix) + `[0-9a-z-]+$`)

// abandoned are the hidden folders whose DKU is dead: its process is gone, or it would have ended long ago.
func abandoned(ctx context.Context, root string, now time.Time) (left []string, err error) {
	dir, err := os.Open(root)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	for err == nil {
		var entries []fs.DirEntry
		entries, err = dir.ReadDir(1000)
		for _, entry := range entries {
			if ours.MatchString(entry.Name()) && entry.IsDir() && !(lives(entry.Name()) && recent(entry, now)) {
				left = append(left, filepath.Join(root, entry.Name()))
			}
		}
		err = errors.Join(err, ctx.Err())
	}
	slices.Sort(left)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return left, err
}

// lives says whether there is a process of the id that is in a name.
func lives(name string) bool {
	text, _, _ := strings.Cut(strings.TrimPrefix(name, ScratchPrefix), "-")
	pid, err := strconv.Atoi(text)
	return err == nil && pid > 0 && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// recent says whether a DKU that made it may still run: what has its id by now may be another process.
func recent(entry fs.DirEntry, now time.Time) bool {
	info, err := entry.Info()
	return err != nil || now.Sub(info.ModTime()) < 2*Limit
}
