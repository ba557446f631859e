// Package testsshd starts a real OpenSSH server on the loopback interface for a test, with keys of its own, and ends it
// with the test. It is for tests only.
package testsshd

import (
	"bufio"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/ketter/ketter/engine/remote"
)

// Options are what a test may want of its server.
type Options struct {
	Subsystem   string   // what sftp is: internal-sftp when empty; "none" for no such subsystem
	ReadOnly    bool     // SFTP writes nothing
	Command     string   // forced, whatever is asked for
	Chroot      string   // owned by root, like all folders above it
	MaxSessions int      // on a connection; sshd's own choice when 0
	Environment []string // of the programs it starts: NAME=value
	Config      []string // further lines of sshd_config
}

// Server is a server under test.
type Server struct {
	t      testing.TB
	config string

	mu      sync.Mutex // held while it is started, ended or looked at: what strikes a test and what mends it may meet
	running *process   // also one that has ended

	Port    int
	User    string
	HostKey string // as known_hosts has it, without names
	Key     string // PEM, of the user
	Home    string // of the shells it starts; empty
}

// process is sshd from one start to its end.
type process struct {
	command *exec.Cmd
	talk    io.Closer     // its standard error, as it is read
	ended   chan struct{} // closed once it has ended and was waited for
}

// Start starts a server, and ends it with the test.
func Start(t testing.TB, options Options) *Server {
	t.Helper()
	if _, err := os.Stat(binary()); err != nil {
		t.Fatal("this test needs OpenSSH's server (Debian: openssh-server)")
	}
	me, err := user.Current()
	must(t, err)
	folder := t.TempDir()
	s := &Server{t: t, config: filepath.Join(folder, "sshd_config"), Home: filepath.Join(folder, "home"), User: me.Username, Port: freePort(t)}
	must(t, os.Mkdir(s.Home, 0o755))
	_, s.HostKey = s.newKey(filepath.Join(folder, "host_key"))
	private, public := s.newKey(filepath.Join(folder, "user_key"))
	s.Key = private
	must(t, os.WriteFile(filepath.Join(folder, "authorized_keys"), []byte(public+"\n"), 0o600))
	must(t, os.WriteFile(s.config, []byte(s.configuration(folder, options)), 0o600))
	if me.Uid == "0" {
		must(t, os.MkdirAll("/run/sshd", 0o755)) // where sshd locks its unprivileged half in
	}
	s.Restart()
	t.Cleanup(s.Kill)
	return s
}

func binary() string {
	if path, err := exec.LookPath("sshd"); err == nil && filepath.IsAbs(path) {
		return path
	}
	return "/usr/sbin/sshd"
}

func (s *Server) configuration(folder string, o Options) string {
	subsystem := o.Subsystem
	if subsystem == "" {
		subsystem = "internal-sftp"
	}
	if o.ReadOnly {
		subsystem += " -R"
	}
	lines := append(slices.Clone(o.Config), // sshd takes the first of each
		fmt.Sprintf("ListenAddress 127.0.0.1:%d", s.Port),
		"HostKey "+filepath.Join(folder, "host_key"),
		"AuthorizedKeysFile "+filepath.Join(folder, "authorized_keys"),
		"PidFile none", "StrictModes no", "UsePAM no", "PermitRootLogin yes", "PasswordAuthentication no",
		"KbdInteractiveAuthentication no", "UseDNS no", "PrintMotd no", "MaxStartups 100:30:200", "LogLevel VERBOSE")
	if subsystem != "none" {
		lines = append(lines, "Subsystem sftp "+subsystem)
	}
	if o.MaxSessions > 0 {
		lines = append(lines, fmt.Sprintf("MaxSessions %d", o.MaxSessions))
	}
	if o.Command != "" {
		lines = append(lines, "ForceCommand "+o.Command)
	}
	if o.Chroot != "" {
		lines = append(lines, "ChrootDirectory "+o.Chroot)
	}
	// Shells read what they find at home; here that is nothing.
	lines = append(lines, "SetEnv "+strings.Join(append([]string{"HOME=" + s.Home}, o.Environment...), " "))
	return strings.Join(lines, "\n") + "\n"
}

// newKey makes a key in a file, and returns it and its public half.
func (s *Server) newKey(path string) (private, public string) {
	s.t.Helper()
	private, public = NewKey(s.t, "")
	must(s.t, os.WriteFile(path, []byte(private), 0o600))
	return private, public
}

// NewKey makes an ed25519 key, encrypted if there is a passphrase: PEM, and the line for authorized_keys.
func NewKey(t testing.TB, passphrase string) (private, public string) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	var block *pem.Block
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(key, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	must(t, err)
	line, err := ssh.NewPublicKey(pub)
	must(t, err)
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(line)))
}

// Authorize lets the holder of a further key in.
func (s *Server) Authorize(public string) {
	s.t.Helper()
	file, err := os.OpenFile(filepath.Join(filepath.Dir(s.config), "authorized_keys"), os.O_APPEND|os.O_WRONLY, 0)
	must(s.t, err)
	_, err = file.WriteString(public + "\n")
	must(s.t, err)
	must(s.t, file.Close())
}

// Target is the server for package remote, with so many connections at most.
func (s *Server) Target(connections int) remote.Target {
	return remote.Target{Host: "127.0.0.1", Port: s.Port, User: s.User, HostKeys: []string{s.HostKey},
		Credential: remote.Credential{PrivateKey: s.Key}, Connections: connections}
}

// Restart starts the server that was killed, on the same port and with the same keys.
func (s *Server) Restart() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	// In the foreground, and talking on standard error: it says there when it listens.
	command := exec.Command(binary(), "-D", "-e", "-f", s.config)
	talk, err := command.StderrPipe()
	must(s.t, err)
	must(s.t, command.Start())
	p := &process{command: command, talk: talk, ended: make(chan struct{})}
	s.running = p
	listening := make(chan bool, 1)
	log := &strings.Builder{}
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(talk)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "Server listening on") {
				listening <- true
			}
			if log.Len() < 1<<16 {
				fmt.Fprintln(log, lines.Text())
			}
		}
		_ = command.Wait()
		close(listening)
	}()
	select {
	case ok := <-listening:
		if !ok {
			s.t.Fatalf("sshd ended: %s", log)
		}
	case <-time.After(30 * time.Second):
		s.t.Fatal("sshd does not say that it listens")
	}
}

// Kill ends the server and whatever it serves, at once.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.running
	select {
	case <-p.ended:
		return
	default:
	}
	_ = p.command.Process.Signal(syscall.SIGSTOP) // it may have ended
	endAll(p.command.Process.Pid)
	_ = p.command.Process.Kill()
	_ = p.talk.Close() // somebody may hold the other end still
	<-p.ended
}

// pid is the server's, also if it has ended.
func (s *Server) pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running.command.Process.Pid
}

// CutAll ends whatever the server serves, and goes on listening.
func (s *Server) CutAll() { endAll(s.pid()) }

// endAll ends the descendants of pid. They are stopped first, so that none of them starts another that nobody knows of.
func endAll(pid int) {
	stopped := map[int]bool{}
	for fresh := true; fresh; {
		fresh = false
		for _, pid := range descendants(pid) {
			if !stopped[pid] {
				fresh, stopped[pid] = true, true
				_ = syscall.Kill(pid, syscall.SIGSTOP) // it may have ended
			}
		}
	}
	for pid := range stopped {
		_ = syscall.Kill(pid, syscall.SIGKILL) // likewise
	}
}

// Served are the processes that serve, by what they call themselves.
func (s *Server) Served() (names []string) {
	for _, pid := range descendants(s.pid()) {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil {
			names = append(names, strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " ")))
		}
	}
	return names
}

// descendants are the processes that pid has started, and that those have, where /proc tells.
func descendants(pid int) (all []int) {
	children := map[int][]int{}
	entries, _ := os.ReadDir("/proc") // elsewhere than on Linux there is none
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue // it has ended
		}
		// The name, in parentheses, may hold anything; state and parent come after it.
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		parent, _ := strconv.Atoi(fields[1])
		children[parent] = append(children[parent], child)
	}
	for todo := []int{pid}; len(todo) > 0; todo = todo[1:] {
		all = append(all, children[todo[0]]...)
		todo = append(todo, children[todo[0]]...)
	}
	return all
}

func freePort(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
