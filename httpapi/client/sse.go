package client

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

// maxMessage bounds a line, and all data of a message.
const maxMessage = 1 << 20

var errMessageTooLong = errors.New("a message is longer than any of Ketter's")

// message is one of the server-sent events of a stream (https://html.spec.whatwg.org/multipage/server-sent-events.html).
type message struct {
	id, name string
	data     []byte
}

// sseReader reads messages. What it doesn't know it leaves out: comments, fields, and a last message that was cut off. Lines end
// with LF or CRLF, as Ketter's do, and not with CR alone.
type sseReader struct {
	lines *bufio.Scanner
	retry time.Duration // when to come again after the stream broke, once it was told
}

func newSSEReader(stream io.Reader) *sseReader {
	lines := bufio.NewScanner(stream)
	lines.Buffer(nil, maxMessage)
	return &sseReader{lines: lines}
}

// next returns the next message that has data; at the end of the stream it is io.EOF.
func (r *sseReader) next() (m message, err error) {
	for r.lines.Scan() {
		line := r.lines.Bytes()
		switch {
		case len(line) > 0:
			r.field(&m, line)
		case len(m.data) > 0:
			m.data = m.data[:len(m.data)-1] // each line of data has brought its end
			return m, nil
		default:
			m = message{}
		}
		if len(m.data) > maxMessage {
			return m, errMessageTooLong
		}
	}
	switch err := r.lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return m, errMessageTooLong
	case err != nil:
		return m, err
	}
	return m, io.EOF
}

func (r *sseReader) field(m *message, line []byte) {
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "id":
		m.id = string(value)
	case "event":
		m.name = string(value)
	case "data":
		m.data = append(append(m.data, value...), '\n')
	case "retry":
		r.setRetry(string(value))
	}
}

func (r *sseReader) setRetry(text string) {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil && !strings.HasPrefix(text, "+") {
		r.retry = time.Duration(n) * time.Millisecond
	}
}
