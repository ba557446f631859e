package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rs/zerolog"

	"github.com/ketter/ketter/infra/testdb"
)

// Each script of testdata/script is what a person types and sees, on one Ketter for all of them. $WORK is among the allowed
// roots, $API the API's address, and the jobs of the queue "nobody" wait for ever. Beside testscript's own commands there are
//
//	exits STATUS COMMAND...              exec, with a certain exit status
//	interrupt PATTERN COMMAND...         types Ctrl-C once the command has said that, and shows what came of it as `status N`
//	capture NAME PATTERN                 sets $NAME to the first group of the pattern in what was printed last
//	fake STATUS TYPE FILE                starts an API at $FAKE that always answers so
func TestWhatAPersonTypesAndSees(t *testing.T) {
	t.Parallel()
	binary := builtKetter(t)
	_, dbURL := testdb.New(t)
	root := t.TempDir()
	work := filepath.Join(root, "work")
	if err := os.Mkdir(work, 0o755); err != nil {
		t.Fatal(err)
	}
	s := start(t, services{logger: zerolog.Nop(), works: true}, dbURL, "redis://"+miniredis.RunT(t).Addr(), root)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", WorkdirRoot: work, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("API", s.url)
			env.Setenv("KETTER_LISTEN", strings.TrimPrefix(s.url, "http://"))
			env.Setenv("PATH", filepath.Dir(binary)+":"+os.Getenv("PATH"))
			env.Setenv("TZ", "UTC")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "interrupt": interrupt, "capture": capture, "fake": fake,
		},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want || neg {
		ts.Fatalf("the exit status is %d", got)
	}
}

func capture(ts *testscript.TestScript, neg bool, args []string) {
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if found == nil || neg {
		ts.Fatalf("nothing fits %s", args[1])
	}
	ts.Setenv(args[0], found[1])
}

func fake(ts *testscript.TestScript, neg bool, args []string) {
	status, err := strconv.Atoi(args[0])
	ts.Check(err)
	answer := ts.ReadFile(args[2])
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", args[1])
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	}))
	ts.Defer(server.Close)
	ts.Setenv("FAKE", server.URL)
}

func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, said := &heardOutput{}, &heardOutput{awaited: regexp.MustCompile(args[0]), found: make(chan struct{})}
	path := filepath.Join(strings.SplitN(ts.Getenv("PATH"), ":", 2)[0], args[1])
	cmd := exec.CommandContext(ctx, path, args[2:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), out, said
	cmd.Env = []string{"KETTER_LISTEN=" + ts.Getenv("KETTER_LISTEN"), "TZ=UTC"}
	ts.Check(cmd.Start())
	select {
	case <-said.found:
	case <-ctx.Done():
	}
	_ = cmd.Process.Signal(os.Interrupt) // it fails for one that has ended, which its status tells
	_ = cmd.Wait()
	fmt.Fprint(ts.Stdout(), out.text.String())
	fmt.Fprintf(ts.Stderr(), "%sstatus %d\n", said.text.String(), cmd.ProcessState.ExitCode())
}

// heardOutput waits for a command to say something.
type heardOutput struct {
	mutex   sync.Mutex
	text    bytes.Buffer
	awaited *regexp.Regexp
	found   chan struct{}
}

func (h *heardOutput) Write(p []byte) (int, error) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	n, err := h.text.Write(p)
	if h.awaited != nil && h.awaited.Match(h.text.Bytes()) {
		h.awaited = nil
		close(h.found)
	}
	return n, err
}
