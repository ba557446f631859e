package bed

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Process is one that was started here. What it says goes into a file.
type Process struct {
	cmd  *exec.Cmd
	log  string
	gone chan struct{} // closed when it has ended
	err  error         // how, then
}

// Start starts a program that ends with this one, where the kernel knows how. env is nil for this one's own.
func Start(log string, env []string, program string, arguments ...string) (*Process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	p := &Process{cmd: exec.Command(program, arguments...), log: log, gone: make(chan struct{})}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr, p.cmd.SysProcAttr = env, file, file, endsWithUs()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.gone)
	}()
	return p, nil
}

// Pid is its id, also when it has ended.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Alive reports whether it hasn't ended.
func (p *Process) Alive() bool {
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

// Kill ends it as a power failure does. It does nothing to one that has ended.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // os.Process knows whether it has, so that no other one can be meant
	<-p.gone
}

// KillAll ends it and whatever it started, and what that started.
func (p *Process) KillAll() {
	if p.cmd.Process.Signal(syscall.SIGSTOP) == nil { // from here on it starts no more
		killTree(p.Pid())
	}
	p.Kill()
}

// Stop asks it to end, and ends it if it hasn't within the time. How it ended is told in its log's last lines.
func (p *Process) Stop(within time.Duration) error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-p.gone:
	case <-time.After(within):
		p.Kill()
		return fmt.Errorf("%s did not end within %v: %s", p.cmd, within, tail(p.log))
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w: %s", p.cmd, p.err, tail(p.log))
	}
	return nil
}
