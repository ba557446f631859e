package agent

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// protocol changes with whatever is said on the wire: both sides must have the same.
const protocol = 2

const (
	headerSize = 16
	maxControl = 1 << 20
	maxData    = 2 << 20
)

var errProtocol = errors.New("agent: the peer broke the protocol")

// op is what a frame asks for or answers.
type op uint8

const (
	// From the client, and not answered.
	opCancel op = iota + 1 // the request of this number
	opCredit               // one more frame of the request of this number may be sent

	opPing
	opSession
	opReset
	opLocate
	opBelow

	// Of a folder.
	opInfo
	opList
	opListInfo
	opLstat
	opReadlink
	opOpenDir
	opXattrs
	opMkdir
	opSymlink
	opLink
	opPublish
	opRemove
	opRemoveDir
	opCanRemove
	opCanMake
	opCanRead
	opSetMode
	opSetModTime
	opSetXattrs
	opSync
	opSyncAll
	opSpace
	opWriteAll
	opReadAll
	opDigests

	// Of a number: those that open it, and those that use it.
	opLock
	opOpen
	opCreate
	opReopen
	opRead
	opFileInfo
	opFileXattrs
	opNextData
	opDropCache
	opWrite
	opCopy
	opClone
	opPreallocate
	opTruncate
	opFileMode
	opFileTime
	opFileSetXattrs
	opFileSync
	opClose

	// Answers.
	opDone   // the last frame of a request that succeeded
	opPart   // more follow
	opFailed // the last frame of a request that failed
	opPong   // of no request: a sign of life
)

// header begins a frame.
type header struct {
	control, data int
	id            uint32
	op            op
}

func (h header) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(h.control))
	b = binary.BigEndian.AppendUint32(b, uint32(h.data))
	b = binary.BigEndian.AppendUint32(b, h.id)
	return append(b, byte(h.op), 0, 0, 0)
}

func readHeader(in io.Reader) (header, error) {
	var b [headerSize]byte
	if _, err := io.ReadFull(in, b[:]); err != nil {
		return header{}, err
	}
	control, data := binary.BigEndian.Uint32(b[:]), binary.BigEndian.Uint32(b[4:])
	if control > maxControl || data > maxData || b[13] != 0 || b[14] != 0 || b[15] != 0 {
		return header{}, errProtocol
	}
	return header{int(control), int(data), binary.BigEndian.Uint32(b[8:]), op(b[12])}, nil
}

// frameWriter writes frames whole. Those that several goroutines write at once leave together.
type frameWriter struct {
	waiting atomic.Int32
	mu      sync.Mutex
	out     *bufio.Writer
}

func newFrameWriter(out io.Writer) *frameWriter {
	return &frameWriter{out: bufio.NewWriterSize(out, 64<<10)}
}

// write returns once the frame was handed on, or somebody is about to who waits behind it.
func (w *frameWriter) write(id uint32, op op, control []byte, data ...[]byte) error {
	h := header{control: len(control), id: id, op: op}
	for _, d := range data {
		h.data += len(d)
	}
	if h.control > maxControl || h.data > maxData {
		return errProtocol
	}
	w.waiting.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	others := w.waiting.Add(-1) > 0
	if _, err := w.out.Write(h.append(w.out.AvailableBuffer())); err != nil {
		return err
	}
	for _, d := range append([][]byte{control}, data...) {
		if _, err := w.out.Write(d); err != nil {
			return err
		}
	}
	if others {
		return nil
	}
	return w.out.Flush()
}
