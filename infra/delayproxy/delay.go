package delayproxy

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"
)

const (
	blockSize = 1 << 20
	readSize  = 256 << 10
	maxBlocks = 64    // of blockSize each: what one direction may hold. It is what 1 GB/s has under way in 64 ms
	maxChunks = 16384 // of any size
)

// chunk is what one read brought. They pass in order, so that the last one of a block frees it.
type chunk struct {
	bytes []byte
	due   time.Time
	frees []byte // the block that is not needed any more
	err   error  // instead of bytes: io.EOF, or why reading ended
}

// stream is one direction of a link. Its blocks are used again and again, and there are no more than the delay needs.
type stream struct {
	chunks chan chunk
	free   chan []byte
	blocks int
}

// pass returns when from has said all and to was told, or the link is over.
func (l *link) pass(from, to *net.TCPConn, count *atomic.Int64) {
	s := &stream{chunks: make(chan chunk, maxChunks), free: make(chan []byte, maxBlocks)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.write(s, to, count)
	}()
	l.read(s, from)
	<-done
}

// read reads until there is no more, and ends with a chunk that says so.
func (l *link) read(s *stream, from *net.TCPConn) {
	defer close(s.chunks)
	var block, rest []byte
	for {
		var freed []byte
		if len(rest) < readSize {
			freed = block
			if block = l.take(s); block == nil {
				return
			}
			rest = block
		}
		n, err := from.Read(rest[:readSize])
		due := time.Now().Add(l.proxy.oneWay())
		if freed != nil && !l.queue(s, chunk{frees: freed, due: due}) ||
			n > 0 && !l.queue(s, chunk{bytes: rest[:n], due: due}) {
			return
		}
		rest = rest[n:]
		if err != nil {
			l.queue(s, chunk{err: err, due: due})
			return
		}
	}
}

// take returns a block that is free, waiting for one if there are as many as there may be; nil when the link is over.
func (l *link) take(s *stream) []byte {
	select {
	case block := <-s.free:
		return block
	default:
	}
	if s.blocks < maxBlocks {
		s.blocks++
		return make([]byte, blockSize)
	}
	select {
	case block := <-s.free:
		return block
	case <-l.gone:
		return nil
	}
}

func (l *link) queue(s *stream, c chunk) bool {
	select {
	case s.chunks <- c:
		return true
	case <-l.gone:
		return false
	}
}

// write passes on what is due, while bytes may pass.
func (l *link) write(s *stream, to *net.TCPConn, count *atomic.Int64) {
	for c := range s.chunks {
		if !l.wait(time.Until(c.due)) || !l.mayPass() {
			return
		}
		n, err := to.Write(c.bytes)
		count.Add(int64(n))
		switch {
		case c.frees != nil:
			s.free <- c.frees // never blocks: there are no more blocks than it has room for
		case errors.Is(c.err, io.EOF):
			err = to.CloseWrite()
		case c.err != nil:
			err = c.err
		}
		if err != nil {
			l.reset()
			return
		}
	}
}

func (l *link) mayPass() bool {
	select {
	case <-l.proxy.passing():
		return true
	case <-l.gone:
		return false
	}
}
