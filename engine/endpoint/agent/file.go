package agent

import (
	"errors"
	"sync"

	"github.com/ketter/ketter/engine/endpoint"
)

// file is an open file of the far host: opened by the process at its home, and by others once they are to take a share.
type file struct {
	s      *Storage
	at     place
	name   string
	reopen op // how it is opened again
	home   *lane

	mu    sync.Mutex
	info  endpoint.Info // of the file that was opened first
	opens map[*conn]*opening
}

// opening is a file that is open in one process.
type opening struct {
	number uint32
	asked  func() // asks for it, once
	call   call
	failed bool // there it isn't: the file has another name by now
}

func newFile(d *dir, name string, reopen op, home *lane) *file {
	return &file{s: d.s, at: d.place, name: name, reopen: reopen, home: home, opens: map[*conn]*opening{}}
}

func (f *file) openQuery(number uint32, mode uint32) []byte {
	q := &encoder{}
	q.num(uint64(number))
	q.place(f.at)
	q.text(f.name)
	q.num(uint64(mode))
	q.num(f.info.Device)
	q.num(f.info.Inode)
	return q.b
}

// open opens it for the first time.
func (f *file) open(c *conn, op op, mode uint32) error {
	number := c.numbers.Add(1)
	answer, err := c.ask(op, f.openQuery(number, mode), nil)
	if err == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.info = answer.in.info()
		f.opens[c] = &opening{number: number, asked: func() {}}
		return answer.in.err()
	}
	if is, _ := isLost(err); !is {
		closeNumber(c, number)
	}
	return err
}

// on returns the file's number in a process. Where it isn't open yet the agent is asked to, without waiting: what is asked
// next finds it open, or fails with errUnopened.
func (f *file) on(c *conn) *opening {
	f.mu.Lock()
	o := f.opens[c]
	if o == nil {
		o = &opening{number: c.numbers.Add(1)}
		o.asked = sync.OnceFunc(func() { c.start(f.reopen, &o.call, f.openQuery(o.number, 0)) })
		f.opens[c] = o
	}
	f.mu.Unlock()
	o.asked() // without the lock: it may take until the process takes it in
	return o
}

// openOn waits until the file is open in a process.
func (f *file) openOn(c *conn) (uint32, error) {
	o := f.on(c)
	if o.call.done != nil { // else it was opened there first
		<-o.call.done
	}
	return o.number, o.call.err
}

// usable reports whether a process is known not to have it.
func (f *file) usable(c *conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := f.opens[c]
	return o == nil || !o.failed
}

func (f *file) bar(c *conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if o := f.opens[c]; o != nil {
		o.failed = true
	}
}

// pick returns a process to move data through.
func (f *file) pick() (*conn, error) {
	_, c, err := f.s.pick(f.home)
	if err == nil && !f.usable(c) {
		return f.home.get()
	}
	return c, err
}

// ask asks the process at home.
func (f *file) ask(op op, q []byte) (*decoder, error) {
	var answer *call
	err := f.s.again(true, func() error {
		c, err := f.home.get()
		if err != nil {
			return err
		}
		answer, err = c.ask(op, f.query(c, q), nil)
		return opened(err)
	})
	if err != nil {
		return nil, err
	}
	return &answer.in, nil
}

// query is a request about the file, as it is to be put to one process.
func (f *file) query(c *conn, q []byte) []byte {
	e := &encoder{}
	e.num(uint64(f.on(c).number))
	return append(e.b, q...)
}

// opened is why a file could not be opened again, where that is what an error says.
func opened(err error) error {
	var unopened *errUnopened
	if errors.As(err, &unopened) {
		return unopened.err
	}
	return err
}

// close is not waited for.
func (f *file) close() {
	f.mu.Lock()
	opens := f.opens
	f.opens = map[*conn]*opening{}
	f.mu.Unlock()
	for c, o := range opens {
		if !c.dead() {
			closeNumber(c, o.number)
		}
	}
}
