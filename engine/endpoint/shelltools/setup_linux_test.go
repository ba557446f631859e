package shelltools

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/local"
	"github.com/ketter/ketter/engine/remote"
)

// machine starts commands on this machine as sshd does: by the account's shell, and with tools of its choice.
type machine struct {
	login   []string // the account's shell, up to the command line
	path    string   // PATH
	noise   string   // what the shell says first
	started atomic.Int64
	onStart func(process *os.Process)
	uid     uint32
}

// newMachine makes one on which names are the programs of this machine that tools says, before those in PATH; "" hides one.
func newMachine(t *testing.T, tools map[string]string) *machine {
	t.Helper()
	bin := openTempDir(t)
	for name, program := range tools {
		if program == "" {
			fails(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\nexit 127\n"), 0o755))
			continue
		}
		found, err := exec.LookPath(program)
		fails(t, err)
		fails(t, os.Symlink(found, filepath.Join(bin, name)))
	}
	return &machine{login: []string{"sh", "-c"}, path: bin + ":" + os.Getenv("PATH")}
}

// needsRoot ends a test that mounts, starts programs of other users, or reads what nobody else may.
func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// openTempDir is t.TempDir for every user.
func openTempDir(t *testing.T) string {
	t.Helper()
	path, err := os.MkdirTemp("", "ketter-shelltools-*")
	fails(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(path) })
	fails(t, os.Chmod(path, 0o755))
	return path
}

func (m *machine) Start(_ context.Context, command remote.Command) (remote.Process, error) {
	m.started.Add(1)
	line := command.Line
	login, err := exec.LookPath(m.login[0])
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(login, append(m.login[1:], line)...)
	cmd.Env = append(os.Environ(), "PATH="+m.path, "TAR_OPTIONS=--no-such-option", "UNZIP=-l", "CDPATH=/")
	if m.uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: m.uid, Gid: m.uid}}
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, in: in, Reader: io.MultiReader(strings.NewReader(m.noise), out)}
	cmd.Stderr = &p.stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if m.onStart != nil {
		m.onStart(cmd.Process)
	}
	return p, nil
}

type process struct {
	io.Reader
	cmd    *exec.Cmd
	in     io.WriteCloser
	stderr bytes.Buffer
}

func (p *process) Write(b []byte) (int, error) { return p.in.Write(b) }
func (p *process) CloseWrite() error           { return p.in.Close() }
func (p *process) Close() error                { return p.cmd.Process.Kill() }

func (p *process) Wait() error {
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return &remote.ExitError{Status: exit.ExitCode(), Stderr: p.stderr.String()}
	}
	return err
}

// flavours are the tars that there are, by what Probe calls them.
var flavours = map[string]map[string]string{
	"gnu":     {},
	"bsd":     {"tar": "bsdtar"},
	"busybox": {"tar": "busybox", "sync": "busybox", "sh": "busybox"},
}

// eachTar runs a test with every tar.
func eachTar(t *testing.T, test func(t *testing.T, far *far)) {
	for name, tools := range flavours {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := newFar(t, newMachine(t, tools))
			if far.tools.Tar != name {
				t.Fatalf("tar is %q", far.tools.Tar)
			}
			test(t, far)
		})
	}
}

// far is a folder with abilities.
type far struct {
	*machine
	tools Tools
	path  string
	plain endpoint.Dir
	dir   endpoint.Dir
}

func newFar(t *testing.T, m *machine) *far {
	t.Helper()
	return farAt(t, m, filepath.Join(t.TempDir(), "-$(touch pwned)`id` \"'\xff\n"))
}

func farAt(t *testing.T, m *machine, path string) *far {
	t.Helper()
	fails(t, os.MkdirAll(path, 0o755))
	tools, err := Probe(t.Context(), m)
	fails(t, err)
	plain := openLocal(t, path)
	return &far{machine: m, tools: tools, path: path, plain: plain, dir: Decorate(plain, path, m, tools)}
}

func openLocal(t testing.TB, path string) endpoint.Dir {
	t.Helper()
	dir, err := local.Open(path)
	fails(t, err)
	t.Cleanup(func() { dir.Close() })
	return dir
}

func (f *far) write(ctx context.Context, items []endpoint.Item, sync bool) error {
	return f.dir.(endpoint.BulkWriter).WriteAll(ctx, items, sync)
}

var then = time.Date(2017, 7, 14, 2, 40, 0, 123456789, time.UTC)

// hostile are names that some shell or tool might take for something else.
var hostile = []string{
	"-rf", "--", "-C", "--checkpoint-action=exec=touch pwned", "$(touch pwned)", "`touch pwned`", "; touch pwned", "a\nb", "\n", "x\n", "'", "\"", "\\",
	"a\\nb", "\\0101", "bytes \xff\xfe\x80\x81\x88", "ção", "*", "?", "[a]", "{a,b}", "~", "~root", " ", " a ", "\t", "!x", "#", "%s%b", "a=b", "@x", "take;1",
	"\x01\x1b[0m\x7f", "..a", "...", ".hidden", "C:", "con", strings.Repeat("n", 255), "b\xcc\x81", "KETTER-DATA\n", "ef46db3751d8e999  x",
}

func fails(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
