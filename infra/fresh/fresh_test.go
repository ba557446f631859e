package fresh

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// bench is a value of one file, and a clock that the test turns.
type bench struct {
	*Value[string]
	path  string
	clock time.Time
	told  []string
	reads int
}

func setup(t *testing.T) *bench {
	t.Helper()
	t.Parallel()
	b := &bench{path: filepath.Join(t.TempDir(), "file"), clock: time.Now()}
	b.write(t, "one")
	value, err := New(func() (string, error) {
		b.reads++
		text, err := os.ReadFile(b.path)
		if err == nil && string(text) == "bad" {
			err = errors.New("it is bad")
		}
		return string(text), err
	}, func(err error) {
		if err == nil {
			err = errors.New("read")
		}
		b.told = append(b.told, err.Error())
	}, b.path)
	if err != nil {
		t.Fatal(err)
	}
	value.now, value.looked = func() time.Time { return b.clock }, b.clock
	b.Value = value
	return b
}

// write puts a new file in the old one's place.
func (b *bench) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(b.path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(b.path+".new", b.path); err != nil {
		t.Fatal(err)
	}
}

// later asks when it is time to look again.
func (b *bench) later() string {
	b.clock = b.clock.Add(every)
	return b.Get()
}

func TestAChangeIsSeenWithinASecond(t *testing.T) {
	b := setup(t)
	b.write(t, "two")
	if got := b.Get(); got != "one" {
		t.Errorf("it looked at once: %q", got)
	}
	if got := b.later(); got != "two" {
		t.Errorf("%q after a second", got)
	}
	if !slices.Equal(b.told, []string{"read"}) {
		t.Errorf("told %q", b.told)
	}
}

func TestAFileThatDidNotChangeIsNotReadAgain(t *testing.T) {
	b := setup(t)
	for range 5 {
		b.later()
	}
	if b.reads != 1 {
		t.Errorf("read %d times", b.reads)
	}
}

func TestAFileOfTheSameLengthAndAgeIsAnother(t *testing.T) {
	b := setup(t)
	old, err := os.Stat(b.path)
	if err != nil {
		t.Fatal(err)
	}
	b.write(t, "two")
	if err := os.Chtimes(b.path, old.ModTime(), old.ModTime()); err != nil {
		t.Fatal(err)
	}
	if got := b.later(); got != "two" {
		t.Errorf("%q", got)
	}
}

func TestTheLastGoodContentStaysAndItsFailureIsToldOnce(t *testing.T) {
	b := setup(t)
	for range 3 {
		b.write(t, "bad")
		if got := b.later(); got != "one" {
			t.Errorf("%q", got)
		}
	}
	if err := os.Remove(b.path); err != nil {
		t.Fatal(err)
	}
	if got := b.later(); got != "one" {
		t.Errorf("%q without a file", got)
	}
	b.write(t, "two")
	if got := b.later(); got != "two" {
		t.Errorf("%q when it is good again", got)
	}
	if !slices.Equal(b.told, []string{"it is bad", "read"}) {
		t.Errorf("told %q", b.told)
	}
}

// A certificate and its key are two files: what fails because only the first is there must be tried again.
func TestWhatCouldNotBeReadIsTriedAgainThoughNothingChanged(t *testing.T) {
	b := setup(t)
	b.write(t, "bad")
	b.later()
	b.later()
	if b.reads != 3 {
		t.Errorf("read %d times, not 3", b.reads)
	}
}

func TestAFileThatCanNotBeReadAtFirstIsAnError(t *testing.T) {
	t.Parallel()
	none := filepath.Join(t.TempDir(), "none")
	if _, err := New(func() ([]byte, error) { return os.ReadFile(none) }, func(error) {}, none); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
