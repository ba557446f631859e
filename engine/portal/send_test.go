package portal

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/ketter/ketter/engine/endpoint/sftp"
)

// haltingAt stops a reader once it comes to so many bytes, until it may go on.
type haltingAt struct {
	io.ReaderAt
	offset         int64
	halted, goesOn chan struct{}
}

func (h haltingAt) ReadAt(b []byte, offset int64) (int, error) {
	if offset == h.offset {
		close(h.halted)
		<-h.goesOn
	}
	return h.ReaderAt.ReadAt(b, offset)
}

func TestTwoWhoSendAtOncePlaceAWholeBinary(t *testing.T) {
	t.Parallel()
	b := setup(t, ways["tools"])
	b.must(os.MkdirAll(b.srv, 0o700))
	binary := bytes.Repeat([]byte("binary"), 1<<19)
	senders := make([]haltingAt, 2)
	results := make([]chan error, 2)
	for i := range senders {
		s, err := sftp.Open(t.Context(), b.portals.hosts.Host(b.portal.Target), b.srv, sftp.Options{})
		b.must(err)
		defer s.Close()
		senders[i] = haltingAt{bytes.NewReader(binary), 1 << 20, make(chan struct{}), make(chan struct{})}
		results[i] = make(chan error, 1)
		go func() {
			_, err := place(s, senders[i], "ketter-x")
			results[i] <- err
		}()
		<-senders[i].halted
	}
	for i, sender := range senders {
		close(sender.goesOn)
		if err := <-results[i]; err != nil {
			t.Error(i, err)
		}
		placed, err := os.ReadFile(filepath.Join(b.srv, ".cache/ketter/ketter-x"))
		if err != nil || !bytes.Equal(placed, binary) {
			t.Errorf("after %d there are %d bytes of %d: %v", i, len(placed), len(binary), err)
		}
	}
	b.clean(filepath.Join(b.srv, ".cache/ketter"), "ketter-x")
}
