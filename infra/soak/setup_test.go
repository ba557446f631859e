package soak

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/ketter/ketter/infra/bed"
	"github.com/ketter/ketter/infra/delayproxy"
	"github.com/ketter/ketter/infra/testdb"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The portals. Two are one folder of the other host, reached as an account with Ketter's agent and as one for files alone.
const (
	lab      = "LAB"
	srvtrf   = "SRVTRF"
	sftpOnly = "SRVTRF-FILES"
)

// soak is two hosts, the jobs between them, and what is done to them.
type soak struct {
	*testing.T
	chance *rand.Rand // of the jobs
	mishap *rand.Rand // of the faults: a generator of its own, so that jobs are the same whatever happens

	long   bool              // enough to wait for what is idle to be let go of
	roots  map[string]string // of the portals
	sshd   *bed.Sshd
	link   *delayproxy.Proxy
	ketter *bed.Ketter

	running  []*job
	posted   int
	ended    int
	attempts int
	outcomes map[string]int
	deeds    []string
}

func setup(t *testing.T) *soak {
	t.Helper()
	dir := inMemory(t)
	near, far := filepath.Join(dir, "lab"), filepath.Join(dir, "srvtrf")
	s := &soak{T: t, outcomes: map[string]int{}, roots: map[string]string{lab: near, srvtrf: far, sftpOnly: far}}
	s.seed()
	must(t, os.Mkdir(near, 0o755))
	must(t, os.Mkdir(far, 0o755))
	var err error
	s.sshd, err = bed.NewSshd(filepath.Join(dir, "sshd"))
	must(t, err)
	must(t, s.sshd.Start())
	t.Cleanup(func() { s.sshd.Kill() })
	s.link, err = delayproxy.Listen("127.0.0.1:0", s.sshd.Address(), 2*time.Millisecond)
	must(t, err)
	t.Cleanup(s.link.Close)
	s.startKetter(dir)
	return s
}

func (s *soak) startKetter(dir string) {
	s.Helper()
	program := build(s.T, dir)
	_, database := testdb.New(s.T)
	var err error
	s.ketter, err = bed.NewKetter(program, dir, bed.Settings{Database: database, Label: "lab", AllowedRoots: s.roots[lab], More: []string{
		"KETTER_LEASE=3s", "KETTER_BEAT=500ms", "KETTER_SOFT_STOP=1s", "KETTER_MAX_TAKEOVERS=1000",
		"KETTER_LOG_LEVEL=debug", fmt.Sprintf("KETTER_CONCURRENCY=%d", atOnce),
	}})
	must(s.T, err)
	s.Cleanup(func() {
		if err := s.ketter.Stop(); err != nil {
			s.Errorf("ketter did not end in order: %v", err)
		}
		if s.Failed() {
			s.Logf("what the processes said last:\n%s", s.ketter.Told())
		}
	})
	must(s.T, s.ketter.Start(s.Context()))
	must(s.T, s.ketter.API.AddPortal(s.Context(), bed.Portal{Name: lab, Kind: "local", RootPath: s.roots[lab], WorkerLabel: "lab"}))
	s.addRemote(srvtrf, bed.Agent(program, s.roots[srvtrf]))
	s.addRemote(sftpOnly, bed.SFTPOnly)
}

func (s *soak) addRemote(name, account string) {
	s.Helper()
	key, err := s.sshd.Admit(account)
	must(s.T, err)
	must(s.T, s.ketter.API.AddPortal(s.Context(), s.sshd.Portal(name, s.roots[name], s.link.Address(), key)))
}

// build builds ketter as it is shipped: without the race detector.
func build(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "ketter")
	command := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-o", path, "github.com/ketter/ketter/cmd/ketter")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := command.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, said)
	}
	return path
}

// inMemory makes a folder on a file system in memory where there is one that everybody may write to.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ketter-soak")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return dir
}

func (s *soak) seed() {
	s.Helper()
	seed := rand.Uint64() >> 1
	if asked := os.Getenv("KETTER_SOAK_SEED"); asked != "" {
		var err error
		seed, err = strconv.ParseUint(asked, 10, 64)
		must(s.T, err)
	}
	s.Logf("KETTER_SOAK_SEED=%d", seed)
	s.chance, s.mishap = rand.New(rand.NewPCG(seed, 0)), rand.New(rand.NewPCG(seed, 1))
}
