package engine

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// child is a run of a job in a process of its own. It is for one goroutine.
type child struct {
	j      *job
	pid    int
	stdin  *os.File
	stderr string
	heard  chan struct{} // closed when it has no more to say
	late   *time.Timer

	reaped bool
	killed bool // by the signal that was meant for it
	status int

	ran     bool // the engine says that it did all; what follows counts once heard
	resumed int64
	seen    map[string]int64
}

// tooLate is when a run is taken for hanging. It then says where.
const tooLate = 3 * time.Minute

// begin starts another run of the job, which from then on is the one that may do it.
func (j *job) begin(at moment) *child {
	j.Helper()
	asked := j.base
	j.token++
	asked.Token, asked.At = fmt.Sprintf("token-%d", j.token), at
	asked.Zombie, asked.Sweeps = j.rng.IntN(2) == 0, at.Signal == syscall.SIGSTOP && j.rng.IntN(2) == 0
	if j.rng.IntN(6) == 0 {
		asked.Epoch = asked.Token
	}
	if at.Signal == syscall.SIGKILL && j.torture.full && j.rng.IntN(3) == 0 {
		asked.At = moment{}
		return j.killFromOutside(asked, time.Duration(j.rng.Int64N(int64(j.torture.took[j.kind]))))
	}
	j.told = append(j.told, fmt.Sprintf("%s: %v", asked.Token, at))
	return j.start(asked)
}

func (j *job) killFromOutside(asked childRun, after time.Duration) *child {
	j.Helper()
	j.told = append(j.told, fmt.Sprintf("%s: killed after %v", asked.Token, after))
	c := j.start(asked)
	time.Sleep(after)
	c.signal(syscall.SIGKILL)
	j.torture.outside++
	return c
}

func (j *job) start(asked childRun) *child {
	j.Helper()
	j.must(record(filepath.Join(j.base.State, "token"), []byte(asked.Token)))
	content, err := json.Marshal(asked)
	j.must(err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(content), "GORACE=atexit_sleep_ms=0") // else each waits a second
	c := &child{j: j, stderr: filepath.Join(j.base.State, "stderr of "+asked.Token), heard: make(chan struct{})}
	stdin, toChild, err := os.Pipe()
	j.must(err)
	fromChild, stdout, err := os.Pipe()
	j.must(err)
	stderr, err := os.Create(c.stderr)
	j.must(err)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	j.must(cmd.Start())
	c.pid, c.stdin = cmd.Process.Pid, toChild
	j.must(errors.Join(stdin.Close(), stdout.Close(), stderr.Close(), cmd.Process.Release()))
	go c.listen(fromChild)
	c.late = time.AfterFunc(tooLate, func() { c.signal(syscall.SIGQUIT) })
	j.Cleanup(func() {
		if !c.reaped {
			c.signal(syscall.SIGKILL)
			c.wait()
		}
	})
	return c
}

// listen takes down what the run tells.
func (c *child) listen(stdout *os.File) {
	defer close(c.heard)
	defer stdout.Close()
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		word, value, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "ran":
			c.ran = true
		case "recovered":
			var bytes int64
			_, _ = fmt.Sscan(value, &bytes)
			c.resumed += bytes
		case "operations":
			_ = json.Unmarshal([]byte(value), &c.seen)
		}
	}
}

// signal is for a run that isn't reaped yet: its number can't be anybody else's.
func (c *child) signal(s syscall.Signal) { _ = syscall.Kill(c.pid, s) }

// stops waits until the run is stopped, and reports false when it came to its end instead.
func (c *child) stops() bool {
	c.j.Helper()
	if c.await(syscall.WUNTRACED).Stopped() {
		c.j.torture.kills++
		return true
	}
	return false
}

// goOn lets a stopped run do what it was about to do.
func (c *child) goOn() {
	c.j.Helper()
	if !c.reaped {
		c.signal(syscall.SIGCONT)
		_ = c.stdin.Close() // what it waits for; a second time does nothing
	}
}

// wait waits until the run has ended.
func (c *child) wait() *child {
	c.j.Helper()
	if !c.reaped {
		c.await(0)
	}
	return c
}

func (c *child) await(options int) (status syscall.WaitStatus) {
	c.j.Helper()
	for {
		_, err := syscall.Wait4(c.pid, &status, options, nil)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EINTR) {
			c.j.Fatal(err)
		}
	}
	if !status.Stopped() {
		c.reap(status)
	}
	return status
}

func (c *child) reap(status syscall.WaitStatus) {
	c.j.Helper()
	c.reaped = true
	c.late.Stop()
	<-c.heard
	_ = c.stdin.Close() // goOn may have
	c.status, c.killed = status.ExitStatus(), status.Signaled() && status.Signal() == syscall.SIGKILL
	t := c.j.torture
	t.resumed += c.resumed
	if c.killed {
		t.kills++
	}
	t.learn(c.j.kind, c.seen)
	log := c.log()
	if status.Signaled() && !c.killed || strings.Contains(log, "panic: ") || strings.Contains(log, "DATA RACE") {
		c.j.Fatalf("a run ended by %v: %s", status.Signal(), log)
	}
}

// learn keeps what runs of a kind do, at most.
func (t *torture) learn(kind string, seen map[string]int64) {
	known := t.seen[kind]
	if known == nil {
		known = map[string]int64{}
		t.seen[kind] = known
	}
	for op, n := range seen {
		known[op] = max(known[op], n)
	}
}

// succeeded fails the test when the run did.
func (c *child) succeeded() {
	c.j.Helper()
	if c.status != 0 || c.killed {
		c.j.Fatalf("a run that nobody disturbed failed: %s", c.log())
	}
}

func (c *child) log() string {
	log, _ := os.ReadFile(c.stderr)
	return string(log)
}
