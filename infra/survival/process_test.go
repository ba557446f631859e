package survival

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// process is a ketter under test. It is for one goroutine.
type process struct {
	b     *bench
	name  string
	cmd   *exec.Cmd
	since int           // how many lines the journal had when it was started
	gone  chan struct{} // closed when it has ended and the journal says so
}

// start starts ketter with a command and this environment alone. It ends with the test.
func (b *bench) start(name, command string, env ...string) *process {
	b.Helper()
	path, err := binary()
	must(b.T, err)
	p := &process{b: b, name: name, cmd: exec.Command(path, command), since: len(b.journal.all()), gone: make(chan struct{})}
	p.cmd.Env = append(append([]string{
		"PATH=/usr/bin:/bin", "DB_URL=" + b.url, "REDIS_URL=" + b.redis,
		"KETTER_ALLOWED_ROOTS=" + strings.Join(b.roots, string(filepath.ListSeparator)),
		"KETTER_LISTEN=127.0.0.1:0", "KETTER_LOG_FORMAT=json", "KETTER_LOG_LEVEL=debug", "KETTER_WORKER_NAME=" + name,
		"KETTER_LEASE=" + b.lease.String(), "KETTER_BEAT=" + b.beat.String(), "KETTER_SOFT_STOP=" + b.softStop.String(),
	}, b.env...), env...)
	p.cmd.Stdout, p.cmd.Stderr = b.journal.file, b.journal.file
	p.cmd.SysProcAttr = endsWithUs()
	must(b.T, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait() // how it ended stands in its state
		b.journal.note(ended, name)
		close(p.gone)
	}()
	b.Cleanup(p.kill)
	return p
}

// worker starts a worker and returns when it works.
func (b *bench) worker(name string, env ...string) *process {
	b.Helper()
	p := b.start(name, "worker", env...)
	p.says("works", func(e entry) bool { return e.Worker == name && e.Message == "working" })
	return p
}

// serve starts the API and notes its address.
func (b *bench) serve() *process {
	b.Helper()
	p := b.start("api", "serve")
	p.says("serves", func(e entry) bool {
		if e.Message == "serving" {
			b.api = "http://" + e.Address
		}
		return e.Message == "serving"
	})
	return p
}

// says waits for a line of the process since it was started.
func (p *process) says(what string, is func(e entry) bool) {
	p.b.Helper()
	p.b.eventually(p.name+" "+what, time.Minute, func() bool {
		if !p.alive() {
			p.b.Fatalf("%s has ended: %s", p.name, p.b.journal.told(0, 20))
		}
		return slices.ContainsFunc(p.b.journal.all()[p.since:], is)
	})
}

func (p *process) alive() bool {
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

// signal does nothing to one that has ended: os.Process knows, so that no other process can be meant.
func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// kill ends it as a power failure does, frozen or not.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.gone
}

// freeze returns when no thread of it runs any more. It reports false when the process has ended instead.
func (p *process) freeze() bool {
	p.b.Helper()
	p.b.journal.note(freezes, p.name)
	p.signal(syscall.SIGSTOP)
	p.b.eventually(p.name+" is frozen", time.Minute, func() bool { return !p.alive() || isStopped(p.cmd.Process.Pid) })
	return p.alive()
}

func (p *process) thaw() {
	p.b.journal.note(thaws, p.name)
	p.signal(syscall.SIGCONT)
}

// ends waits until it has ended by itself.
func (p *process) ends(within time.Duration) {
	p.b.Helper()
	select {
	case <-p.gone:
	case <-time.After(within):
		p.b.Fatalf("%s has not ended within %v: %s", p.name, within, p.b.journal.told(0, 20))
	}
}
