package survival

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

// builtInto is where the binary goes; TestMain removes it.
var builtInto string

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run runs the tests, on a server of their own unless they are given one.
func run(m *testing.M) int {
	var err error
	if builtInto, err = os.MkdirTemp("", "ketter-survival"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(builtInto) }()
	if os.Getenv(serverVariable) == "" {
		server, err := makePostgres()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = server.remove() }()
		_ = os.Setenv(serverVariable, server.url())
	}
	flag.Parse()
	if !given("test.parallel") { // tests wait most of their time, so they aren't bound by the number of cores
		_ = flag.Set("test.parallel", "4")
	}
	return m.Run()
}

func given(name string) (is bool) {
	flag.Visit(func(f *flag.Flag) { is = is || f.Name == name })
	return is
}

// serverVariable names the server on which the tests make databases.
const serverVariable = "KETTER_TEST_DB_URL"

// binary builds ketter, once, as it is shipped: without the race detector.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(builtInto, "ketter")
	build := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-o", path, "github.com/ketter/ketter/cmd/ketter")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, said)
	}
	return path, nil
})

// long reports whether the long form was asked for.
func long() bool { return os.Getenv("KETTER_SURVIVAL") == "long" }

// either is the first in the short form and the second in the long one.
func either[T any](short, whenLong T) T {
	if long() {
		return whenLong
	}
	return short
}

// seeded are the random choices of a test, which the seed it prints makes again.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64() >> 1
	if asked := os.Getenv("KETTER_SURVIVAL_SEED"); asked != "" {
		var err error
		if seed, err = strconv.ParseUint(asked, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("KETTER_SURVIVAL_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
