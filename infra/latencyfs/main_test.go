package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

const delay = 50 * time.Millisecond

// setup mounts a folder, and unmounts it at the end as SIGTERM does.
func setup(t *testing.T) (folder, point string) {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skip("this machine has no FUSE")
	}
	if _, err := exec.LookPath("fusermount3"); err != nil && os.Geteuid() != 0 {
		t.Skip("an ordinary user needs fusermount3")
	}
	folder, point = t.TempDir(), t.TempDir()
	server, err := mount(folder, point, delay, 0)
	if err != nil {
		t.Skip("this machine forbids mounts:", err)
	}
	t.Cleanup(func() {
		gone := make(chan struct{})
		go func() { server.Wait(); close(gone) }()
		if err := unmount(server, gone); err != nil {
			t.Error(err)
		}
	})
	return folder, point
}

func TestEachOperationTakesTheDelayAndManyTakeItTogether(t *testing.T) {
	t.Parallel()
	_, point := setup(t)
	began := time.Now()
	if _, err := os.Lstat(filepath.Join(point, "nothing")); !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if took := time.Since(began); took < delay {
		t.Errorf("one took %v", took)
	}
	const many = 40
	began = time.Now()
	var all sync.WaitGroup
	for range many {
		all.Go(func() { _, _ = os.Lstat(filepath.Join(point, time.Now().String())) })
	}
	all.Wait()
	if took := time.Since(began); took < delay || took > many*delay/2 {
		t.Errorf("%d at once took %v", many, took)
	}
}

func TestWhatIsWrittenThroughTheMountIsInTheFolder(t *testing.T) {
	t.Parallel()
	folder, point := setup(t)
	content := bytes.Repeat([]byte("ketter"), 500_000)
	if err := os.WriteFile(filepath.Join(point, "a"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(point, "a"), filepath.Join(point, "b")); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{folder, point} {
		if got, err := os.ReadFile(filepath.Join(dir, "b")); err != nil || !bytes.Equal(got, content) {
			t.Errorf("read are %d bytes of %d, %v", len(got), len(content), err)
		}
	}
}
