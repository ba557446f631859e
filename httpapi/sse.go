package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// sse writes server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) to one listener. What is
// written is gathered until flush.
type sse struct {
	out     http.ResponseWriter
	control *http.ResponseController
	within  time.Duration // for each flush: who takes longer to receive is dropped
	pending bytes.Buffer
	flushed time.Time
}

// begin answers with the head of a stream. No deadline for reading is left on the connection, for with one net/http takes a
// listener, who says nothing more, for gone. The connection ends with the stream, and its deadline for writing with it.
func (s *sse) begin() error {
	if err := s.control.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	s.out.Header().Set("Connection", "close")
	s.out.WriteHeader(http.StatusOK)
	return nil
}

// retry tells when to come back after a connection was lost.
func (s *sse) retry(after time.Duration) {
	fmt.Fprintf(&s.pending, "retry: %d\n\n", after.Milliseconds())
}

// event adds one; without an id (0) the listener's last one stays.
func (s *sse) event(id int64, name string, data any) error {
	if id != 0 {
		fmt.Fprintf(&s.pending, "id: %d\n", id)
	}
	fmt.Fprintf(&s.pending, "event: %s\ndata: ", name)
	encoder := json.NewEncoder(&s.pending) // JSON has no line end but the one that follows it
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(data); err != nil {
		return err
	}
	s.pending.WriteByte('\n')
	return nil
}

// beat keeps what lies between from taking the connection for idle, if nothing was sent for a while.
func (s *sse) beat(after time.Duration) {
	if s.pending.Len() == 0 && time.Since(s.flushed) >= after {
		s.pending.WriteString(": still here\n\n")
	}
}

func (s *sse) flush() error {
	if s.pending.Len() == 0 {
		return nil
	}
	s.extend()
	if _, err := s.pending.WriteTo(s.out); err != nil {
		return err
	}
	s.flushed = time.Now()
	return s.control.Flush()
}

// extend grants the next write its time; at the end of the answer that is net/http's own.
func (s *sse) extend() { _ = s.control.SetWriteDeadline(time.Now().Add(s.within)) } // it fails with the connection, as the write will
