package manifest

import (
	"errors"
	"io"
)

// Summary is what can be said of a manifest as a whole, be it complete or cut short.
type Summary struct {
	Begin    Begin
	End      *End   // nil when it was cut short
	Last     Record // of a complete one: the top
	Synced   int64  // so many lines are on the storage, and what they tell of
	partials map[string]reached
}

type reached struct {
	Partial
	line int64
}

// Summarise reads a manifest as far as it is whole; only an error of reading itself is one. What it holds in memory are
// the files that were under way at the end.
func Summarise(in io.Reader) (Summary, error) {
	r := NewReader(in)
	s := Summary{partials: map[string]reached{}}
	r.partial = func(p Partial) { s.partials[p.Record.Path] = reached{p, r.lines} }
	for {
		record, err := r.Next()
		if err == nil {
			if len(s.partials) > 0 {
				delete(s.partials, record.Path)
			}
			s.Last = record
			continue
		}
		s.Begin, s.End, s.Synced = r.begin, r.end, r.synced
		if CutShort(err) || errors.Is(err, io.EOF) {
			return s, nil
		}
		return s, err
	}
}

// CutShort reports whether err only says that a manifest isn't whole.
func CutShort(err error) bool { return errors.Is(err, ErrTruncated) || errors.Is(err, errMalformed) }

// Proven reports whether what a line tells of is known to be on the storage as it was written, in the present epoch.
func (s Summary) Proven(line int64, epoch string) bool {
	if s.Begin.Version != Version {
		return false
	}
	return s.Begin.SyncEach || s.Begin.Epoch != "" && s.Begin.Epoch == epoch || line <= s.Synced
}

// Partial returns how far the file called path is for sure, in the present epoch.
func (s Summary) Partial(path, epoch string) (Partial, bool) {
	p, ok := s.partials[path]
	return p.Partial, ok && s.Proven(p.line, epoch)
}

// PartialBytes is how much of files that were not done is there for sure, in the present epoch.
func (s Summary) PartialBytes(epoch string) int64 {
	var sum int64
	for _, p := range s.partials {
		if s.Proven(p.line, epoch) {
			sum += p.Offset
		}
	}
	return sum
}
