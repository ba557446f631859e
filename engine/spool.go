package engine

import (
	"bytes"
	"io"
)

// spoolSize is how much of a manifest is kept here as well: some 25,000 files.
const spoolSize = 4 << 20

// spool keeps what is written to a manifest on another host, as far as it is small, so that it need not be fetched again.
type spool struct {
	io.Writer
	kept bytes.Buffer
	lost bool // it has become too large
}

func (s *spool) Write(p []byte) (int, error) {
	if s.lost = s.lost || s.kept.Len()+len(p) > spoolSize; s.lost {
		s.kept = bytes.Buffer{}
	} else {
		s.kept.Write(p)
	}
	return s.Writer.Write(p)
}

// open returns all that was written, nil where it isn't kept.
func (s *spool) open() io.ReadCloser {
	if s == nil || s.lost {
		return nil
	}
	return io.NopCloser(bytes.NewReader(s.kept.Bytes()))
}
