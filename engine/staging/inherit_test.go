package staging

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/manifest"
)

// bed is a destination with the stagings of runs.
type bed struct {
	*testing.T
	path   string
	parent endpoint.Dir
}

func newBed(t *testing.T) *bed {
	t.Helper()
	path := t.TempDir()
	return &bed{t, path, open(t, path)}
}

func (b *bed) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bed) create(name string) *Staging {
	b.Helper()
	s, err := Create(b.parent, name)
	b.must(err)
	b.Cleanup(s.Close)
	return s
}

// died leaves the staging of a run that has built files of Day 1.
func (b *bed) died(name string, files ...string) {
	b.Helper()
	s := b.create(name)
	for _, file := range files {
		b.write(filepath.Join(name, dataName, "Day 1", file))
	}
	s.Close()
}

func (b *bed) write(name string) {
	b.Helper()
	path := filepath.Join(b.path, name)
	b.must(os.MkdirAll(filepath.Dir(path), 0o755))
	b.must(os.WriteFile(path, nil, 0o600))
}

// inherits has a new run called name take over earlier ones, in this order, and ends it.
func (b *bed) inherits(name string, earlier ...string) {
	b.Helper()
	s := b.create(name)
	for _, e := range earlier {
		all, err := s.Inherit(e, "Day 1", true)
		b.must(err)
		for _, i := range all {
			i.Close()
		}
	}
	s.Close()
}

func (b *bed) has(name string, want bool) {
	b.Helper()
	if _, err := os.Lstat(filepath.Join(b.path, name)); (err == nil) != want {
		b.Errorf("%s is there: %v, want %v", name, err == nil, want)
	}
}

// A folder is renamed in two steps where the storage has no rename that refuses to replace: an empty folder takes the name.
func TestWhatARenameThatWasCutShortHasLeftIsNoRun(t *testing.T) {
	t.Parallel()
	for _, order := range [][]string{{"A", "B"}, {"B", "A"}} {
		b := newBed(t)
		b.died("A", "1.wav")
		b.died("B")
		b.must(os.MkdirAll(filepath.Join(b.path, "B", inheritedName, "A"), 0o700))
		b.inherits("C", order...)
		b.has("C/inherited/A/fenced/Day 1/1.wav", true)
		b.has("C/inherited/B/inherited/A", false)
		b.has("A", false)
		b.inherits("D", "C")
		b.has("D/inherited/A/fenced/Day 1/1.wav", true)
	}
}

func TestWhatAFencedRunBeginsOnceMoreIsTakenFromItToo(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.died("A", "1.wav")
	b.inherits("B", "A")
	for i, run := range []string{"C", "D"} {
		last := []string{"B", "C"}[i]
		b.write(filepath.Join(last, "inherited/A/data/Day 1/2.wav"))
		b.inherits(run, last)
		b.has(run+"/inherited/A/data/Day 1", false)
		b.has(run+"/inherited/A/fenced/Day 1/1.wav", true)
		b.has(run+"/inherited/A/fenced/Day 1/2.wav", false)
	}
}

// late is a folder whose first rename finds the new name taken, by a rename of the same that was under way.
type late struct {
	endpoint.Dir
	done bool
}

func (l *late) Rename(name string, to endpoint.Dir, newName string) error {
	err := l.Dir.Rename(name, to, newName)
	if err == nil && !l.done {
		l.done = true
		return fs.ErrExist
	}
	return err
}

func TestARenameThatComesToItsEndMeanwhileIsNoConflict(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.write("data/Day 1/1.wav")
	b.must(os.Mkdir(filepath.Join(b.path, "fenced"), 0o700))
	data, fenced := open(t, filepath.Join(b.path, "data")), open(t, filepath.Join(b.path, "fenced"))
	if err := renameAgain(&late{Dir: data}, "Day 1", fenced); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	b.has("fenced/Day 1/1.wav", true)
}

// complete leaves the staging of a run that had built a tree of some files, and said so.
func (b *bed) complete(name string, files int64) *Staging {
	b.Helper()
	s := b.create(name)
	w, err := manifest.NewWriter(s.Manifest(), manifest.Begin{})
	b.must(err)
	for i := range files {
		b.must(w.Add(manifest.Record{Path: fmt.Sprint("Day 1/", i), Type: endpoint.File, Size: 1}))
	}
	b.must(w.Add(manifest.Record{Path: "Day 1", Type: endpoint.Folder}))
	_, err = w.End(endpoint.Info{})
	b.must(err)
	s.Close()
	b.must(os.MkdirAll(filepath.Join(b.path, name, fencedName, "Day 1"), 0o755))
	return s
}

// A run is fenced by a rename in two steps and publishes between them: an empty folder in its name holds nothing back.
func TestARunThatPublishedWhileItWasFencedHasPublished(t *testing.T) {
	t.Parallel()
	for files, published := range map[int64]bool{2: true, 0: false} { // of an empty source what was fenced is empty
		b := newBed(t)
		b.complete("A", files)
		seen, err := Look(b.parent, "A", "Day 1")
		if err != nil || seen.Published() != published {
			t.Errorf("%d files: published %v, %v", files, seen.Published(), err)
		}
		all, err := b.create("B").Inherit("A", "Day 1", true)
		for _, i := range all {
			i.Close()
		}
		if errors.Is(err, ErrPublished) != published || err != nil && !published {
			t.Errorf("%d files: %v", files, err)
		}
	}
}

func TestWhatIsBeingRemovedCanNotBePublishedAnyMore(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.died("A", "1.wav")
	b.must(os.MkdirAll(filepath.Join(b.path, "A", fencedName, "Day 1"), 0o755))
	b.must(unsay(open(t, filepath.Join(b.path, "A"))))
	b.has("A/data/Day 1", false)
	b.write("A/data/Day 1/2.wav")
	b.must(unsay(open(t, filepath.Join(b.path, "A"))))
	b.has("A/data/Day 1", false)
}

// Where the storage has no hard links, an empty file takes the name of a file.
func TestAnEmptyFileHoldsNoNameBack(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.must(os.MkdirAll(filepath.Join(b.path, "data"), 0o755))
	b.must(os.WriteFile(filepath.Join(b.path, "data/A001.mov"), []byte("frames"), 0o600))
	b.write("fenced/A001.mov")
	data, fenced := open(t, filepath.Join(b.path, "data")), open(t, filepath.Join(b.path, "fenced"))
	b.must(renameAgain(data, "A001.mov", fenced))
	if content, err := os.ReadFile(filepath.Join(b.path, "fenced/A001.mov")); err != nil || string(content) != "frames" {
		t.Errorf("%q, %v", content, err)
	}
}
