package embedded

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

var told = Services{API: "http://127.0.0.1:8000", DBURL: "postgres://ketter:n33dle@127.0.0.1/ketter", RedisURL: "redis://:n33dle@127.0.0.1",
	AllowedRoots: []string{"/mnt/nexis"}}

func TestServicesAreFoundWhileTheirOwnerHoldsTheStateDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	release, err := LockState(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, found, err := ReadServices(dir); found || err != nil {
		t.Errorf("before they are written: %v, %v", found, err)
	}
	remove, err := WriteServices(dir, told)
	if err != nil {
		t.Fatal(err)
	}
	read, found, err := ReadServices(dir)
	want := told
	want.PID = os.Getpid()
	if !found || err != nil || !reflect.DeepEqual(read, want) {
		t.Errorf("%v, %v", found, err)
	}
	release()
	if _, found, err := ReadServices(dir); found || err != nil {
		t.Errorf("of an owner that was killed: %v, %v", found, err)
	}
	remove()
	if left, err := filepath.Glob(filepath.Join(dir, "services*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v (%v)", left, err)
	}
}

// They hold passwords.
func TestServicesAreForTheirOwnerAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "services.json"), nil, 0o644); err != nil { // somebody's, which others can read
		t.Fatal(err)
	}
	remove, err := WriteServices(dir, told)
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	info, err := os.Stat(filepath.Join(dir, "services.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v (%v)", info.Mode(), err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v (%v)", entries, err)
	}
}

// Looking must not keep a `ketter up` from starting.
func TestAskingForServicesTakesNoLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	remove, err := WriteServices(dir, told) // its process lives, and holds nothing
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	for range 3 {
		if _, found, err := ReadServices(dir); found || err != nil {
			t.Errorf("%v, %v", found, err)
		}
		release, err := LockState(dir)
		if err != nil {
			t.Fatal(err)
		}
		release()
	}
}

func TestServicesThatAreNotWhatUpWritesAreAnError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "services.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, found, err := ReadServices(dir); found || err == nil {
		t.Errorf("%v, %v", found, err)
	}
}
