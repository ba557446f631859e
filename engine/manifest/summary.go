package manifest

import (
	"errors"
	"io"
)

// Summary is what can be said of a manifest as a whole, be it complete or cut short.
type Summary struct {
	Begin    Begin
	End      *End // nil when it was cut short
	Synced   int64
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
			continue
		}
		s.Begin, s.End, s.Synced = r.begin, r.end, r.synced
		if errors.Is(err, io.EOF) || errors.Is(err, ErrTruncated) || errors.Is(err, errMalformed) {
			return s, nil
		}
		return s, err
	}
}

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
