// Package sample makes the folders that benchmarks and labs copy, and tells whether a copy is one. It never looks at time or who
// copied.
package sample

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Set is what is copied: files of random bytes, which nothing can compress, in folders of at most 500.
type Set []part

type part struct {
	files int
	size  int64
}

// Of is a set of files of one size. Sets are joined by append.
func Of(files int, size int64) Set { return Set{{files, size}} }

const (
	filesInFolder = 500
	largestPart   = 1 << 50 // bytes; sums of a few don't overflow
)

var partPattern = regexp.MustCompile(`^([1-9][0-9]{0,6})x([1-9][0-9]{0,9})(B|KiB|MiB|GiB)$`)

// Parse reads sets as 1x2GiB+2000x4KiB,2000x1KiB.
func Parse(text string) ([]Set, error) {
	if text == "" {
		return nil, nil
	}
	var sets []Set
	for one := range strings.SplitSeq(text, ",") {
		var s Set
		for word := range strings.SplitSeq(one, "+") {
			m := partPattern.FindStringSubmatch(word)
			if m == nil {
				return nil, fmt.Errorf("a set is FILESxSIZE, as 2000x1KiB or 1x2GiB+2000x4KiB, not %q", one)
			}
			files, _ := strconv.Atoi(m[1])
			size, _ := strconv.ParseInt(m[2], 10, 64)
			if float64(files)*float64(size)*float64(unit(m[3])) > largestPart {
				return nil, fmt.Errorf("%q is more than %s", one, BytesText(largestPart))
			}
			s = append(s, part{files, size * unit(m[3])})
		}
		sets = append(sets, s)
	}
	return sets, nil
}

var sizePattern = regexp.MustCompile(`^(0|[1-9][0-9]{0,9})(B|KiB|MiB|GiB)$`)

// ParseSize reads a number of bytes, as 4MiB.
func ParseSize(text string) (int64, error) {
	m := sizePattern.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("a size is a whole number of B, KiB, MiB or GiB, as 4MiB, not %q", text)
	}
	n, _ := strconv.ParseInt(m[1], 10, 64)
	if n > largestPart/unit(m[2]) {
		return 0, fmt.Errorf("%q is more than %s", text, BytesText(largestPart))
	}
	return n * unit(m[2]), nil
}

func unit(name string) int64 {
	for i, n := range units {
		if n == name {
			return 1 << (10 * i)
		}
	}
	return 1
}

var units = []string{"B", "KiB", "MiB", "GiB", "TiB"}

// BytesText is a number of bytes in the largest unit that leaves at least one.
func BytesText(n int64) string {
	i, f := 0, float64(n)
	for f >= 1024 && i < len(units)-1 {
		i, f = i+1, f/1024
	}
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0") + " " + units[i]
}

func (s Set) String() string {
	var words []string
	for _, p := range s {
		if p.files == 1 {
			words = append(words, "one file of "+BytesText(p.size))
		} else {
			words = append(words, fmt.Sprintf("%d × %s", p.files, BytesText(p.size)))
		}
	}
	return strings.Join(words, " and ")
}

// Files is how many it has.
func (s Set) Files() (n int) {
	for _, p := range s {
		n += p.files
	}
	return n
}

// Bytes is how many all its files have.
func (s Set) Bytes() (n int64) {
	for _, p := range s {
		n += int64(p.files) * p.size
	}
	return n
}

// Make writes the set into dir. The times of its files are whole seconds: tar knows no others.
func (s Set) Make(dir string) error { return s.MakeUntil(context.Background(), dir) }

// MakeUntil is Make that stops when ctx ends, and leaves what there is by then.
func (s Set) MakeUntil(ctx context.Context, dir string) error {
	w := writer{ctx: ctx, random: rand.NewChaCha8([32]byte{}), buffer: make([]byte, 1<<20), time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	for i, p := range s {
		folder := ""
		for n := range p.files {
			if n%filesInFolder == 0 {
				folder = filepath.Join(dir, fmt.Sprintf("part_%d", i+1), fmt.Sprintf("session_%03d", n/filesInFolder+1))
				if err := os.MkdirAll(folder, 0o755); err != nil {
					return err
				}
			}
			if err := w.write(filepath.Join(folder, fmt.Sprintf("take_%06d.wav", n+1)), p.size); err != nil {
				return err
			}
		}
	}
	return nil
}

type writer struct {
	ctx    context.Context
	random *rand.ChaCha8
	buffer []byte
	time   time.Time
}

func (w *writer) write(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	for size > 0 {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		b := w.buffer[:min(size, int64(len(w.buffer)))]
		if _, err := w.random.Read(b); err != nil {
			return err
		}
		if _, err := f.Write(b); err != nil {
			return err
		}
		size -= int64(len(b))
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Chtimes(path, w.time, w.time)
}
