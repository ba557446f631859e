package private

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestOnlyAFileThatStrangersCanNotReadOrChangeIsRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, good := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: true, 0o440: true, 0o660: false, 0o620: false, 0o644: false, 0o604: false, 0o602: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		text, err := Read(path, 100)
		if good != (err == nil && text == "hunter2") || err != nil && !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("%04o: %q, %v", mode, text, err)
		}
	}
}

func TestWhatIsNoSmallFileIsAnError(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path, 6); !errors.Is(err, ErrLarge) {
		t.Errorf("%v", err)
	}
	if _, err := Read(filepath.Dir(path), 6); err == nil {
		t.Error("a folder is read")
	}
	fifo := path + ".fifo"
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(fifo, 6); err == nil {
		t.Error("a FIFO is read")
	}
	if _, err := Read(path+".none", 6); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestAFIFOIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path, 6); err == nil {
		t.Error("a FIFO is read")
	}
}
