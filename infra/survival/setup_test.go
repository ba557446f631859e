package survival

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/infra/testdb"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// nobody is an address where nothing listens: workers must do without Redis.
const nobody = "redis://127.0.0.1:1"

// bench is what the processes of a test share: a database, folders, and the journal. What they are started with may be
// altered before they are.
type bench struct {
	*testing.T
	store *db.Store // the test's own way to the database, which nothing disturbs
	url   string    // the processes' way to it
	redis string
	api   string // where serve answers

	roots    []string
	from, to string // on different file systems where there are two
	journal  *journal

	lease, beat, softStop time.Duration
	env                   []string
}

// setup makes a bench on a database of its own on the shared server. When the test ends its processes are killed, and it
// is audited.
func setup(t *testing.T) *bench {
	t.Helper()
	store, url := testdb.New(t)
	return setupOn(t, store, url)
}

func setupOn(t *testing.T, store *db.Store, url string) *bench {
	t.Helper()
	b := &bench{T: t, store: store, url: url, redis: nobody, journal: newJournal(t),
		lease: 3 * time.Second, beat: 500 * time.Millisecond, softStop: time.Second}
	near, far := t.TempDir(), inMemory(t)
	b.roots, b.from, b.to = []string{near, far}, filepath.Join(far, "from"), filepath.Join(near, "to")
	must(t, os.Mkdir(b.from, 0o755))
	must(t, os.Mkdir(b.to, 0o755))
	b.watchRuns()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the processes' last lines:\n%s", b.journal.told(0, 60))
		}
	})
	t.Cleanup(b.audit)
	return b
}

// inMemory makes a folder on a file system in memory where there is one that everybody may write to.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ketter-survival")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return dir
}

// eventually polls until what is true.
func (b *bench) eventually(what string, within time.Duration, isTrue func() bool) {
	b.Helper()
	for deadline := time.Now().Add(within); !isTrue(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("not within %v: %s", within, what)
		}
	}
}

// exec runs a statement on the test's own connection.
func (b *bench) exec(sql string, args ...any) {
	b.Helper()
	_, err := b.store.Pool().Exec(b.Context(), sql, args...)
	must(b.T, err)
}

// ask returns the one value of a query.
func ask[T any](b *bench, sql string, args ...any) T {
	b.Helper()
	var value T
	must(b.T, b.store.Pool().QueryRow(b.Context(), sql, args...).Scan(&value))
	return value
}
