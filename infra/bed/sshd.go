package bed

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"time"
)

// Sshd is an OpenSSH server on the loopback, with the defaults of OpenSSH wherever they matter: ciphers, MaxSessions,
// MaxStartups. Whoever runs it is the only one who can log in.
type Sshd struct {
	dir, program string
	port         int
	user         string
	hostKey      Key
	process      *Process // nil while it doesn't run
}

// Options of an account for Admit, in the words of authorized_keys.
const (
	Shell    = ""                                  // an ordinary account
	SFTPOnly = `restrict,command="internal-sftp" ` // an account for files alone
)

// Agent are the options of an account that can only run Ketter's agent on a folder. Neither path may hold a quote.
func Agent(ketter, root string) string {
	return fmt.Sprintf(`restrict,command="'%s' agent --root '%s'" `, ketter, root)
}

// NewSshd prepares a server that keeps its files in dir. It runs once it is started.
func NewSshd(dir string) (*Sshd, error) {
	program, err := lookUp("sshd")
	if err != nil {
		return nil, err
	}
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	s := &Sshd{dir: dir, program: program, port: freePort(), user: me.Username}
	if os.Geteuid() == 0 { // sshd's own: it insists that this is there, and root's
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return nil, err
		}
	}
	if s.hostKey, err = NewKey(); err != nil {
		return nil, err
	}
	return s, errors.Join(os.MkdirAll(dir, 0o755),
		os.WriteFile(s.path("host_key"), []byte(s.hostKey.Private), 0o600),
		os.WriteFile(s.path("authorized_keys"), nil, 0o600),
		os.WriteFile(s.path("sshd_config"), []byte(s.config()), 0o600))
}

func (s *Sshd) path(name string) string { return filepath.Join(s.dir, name) }

// config gives sessions a home of their own: what a user's start-up files do, and how long they take, is nobody's matter here.
func (s *Sshd) config() string {
	return fmt.Sprintf(`ListenAddress 127.0.0.1:%d
HostKey %q
AuthorizedKeysFile %q
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
PrintLastLog no
Subsystem sftp internal-sftp
SetEnv "HOME=%s"
`, s.port, s.path("host_key"), s.path("authorized_keys"), s.dir)
}

// User is who logs in, HostKey what the server is known by, Address where it listens.
func (s *Sshd) User() string    { return s.user }
func (s *Sshd) HostKey() string { return s.hostKey.Public }
func (s *Sshd) Address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// Admit lets a new key in, under the options.
func (s *Sshd) Admit(options string) (Key, error) {
	key, err := NewKey()
	if err != nil {
		return key, err
	}
	list, err := os.OpenFile(s.path("authorized_keys"), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return key, err
	}
	_, err = fmt.Fprintf(list, "%s%s\n", options, key.Public)
	return key, errors.Join(err, list.Close())
}

// Start returns when the server answers.
func (s *Sshd) Start() error {
	process, err := Start(s.path("sshd.out"), nil, s.program, "-D", "-f", s.path("sshd_config"), "-E", s.path("sshd.log"))
	if err != nil {
		return err
	}
	s.process = process
	for deadline := time.Now().Add(30 * time.Second); !s.answers(); time.Sleep(5 * time.Millisecond) {
		if !process.Alive() || time.Now().After(deadline) {
			s.Kill()
			return fmt.Errorf("sshd does not answer: %s", tail(s.path("sshd.out"))+tail(s.path("sshd.log")))
		}
	}
	return nil
}

func (s *Sshd) answers() bool {
	conn, err := net.DialTimeout("tcp", s.Address(), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second)) // a new connection takes one
	begin := make([]byte, 4)
	_, err = conn.Read(begin)
	return err == nil && string(begin) == "SSH-"
}

// Kill ends the server as a power failure does: sessions and what they run, too.
func (s *Sshd) Kill() {
	if s.process != nil {
		s.process.KillAll()
		s.process = nil
	}
}

// Sessions is how many connections it serves.
func (s *Sshd) Sessions() int {
	if s.process == nil {
		return 0
	}
	return len(children(s.process.Pid()))
}

// ClientConfig writes what `ssh -F` needs to reach the server as the host srvtrf, by way of address, and returns its path.
func (s *Sshd) ClientConfig(key Key, address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	config := fmt.Sprintf("Host srvtrf\n\tHostName %s\n\tPort %s\n\tUser %s\n\tIdentityFile %q\n\tIdentitiesOnly yes\n"+
		"\tIdentityAgent none\n\tUserKnownHostsFile %q\n\tStrictHostKeyChecking yes\n\tBatchMode yes\n",
		host, port, s.user, s.path("client_key"), s.path("known_hosts"))
	return s.path("ssh_config"), errors.Join(
		os.WriteFile(s.path("client_key"), []byte(key.Private), 0o600),
		os.WriteFile(s.path("known_hosts"), []byte(fmt.Sprintf("[%s]:%s %s\n", host, port, s.hostKey.Public)), 0o600),
		os.WriteFile(s.path("ssh_config"), []byte(config), 0o600))
}

// lookUp finds a program also where only root's PATH looks. sshd wants to be called by its whole path.
func lookUp(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return filepath.Abs(path)
	}
	path, err := exec.LookPath(filepath.Join("/usr/sbin", program))
	if err != nil {
		return "", fmt.Errorf("%s is not installed: apt install openssh-server", program)
	}
	return path, nil
}

// freePort is one that Linux doesn't give to outgoing connections, so that it is still free when a server starts again.
func freePort() int {
	for {
		port := 20_000 + rand.IntN(12_000)
		if listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = listener.Close() // nothing has used it
			return port
		}
	}
}

// tail is the end of a log.
func tail(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	lines := strings.SplitAfter(string(content), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "")
}
