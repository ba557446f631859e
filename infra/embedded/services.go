package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Services is where the parts of a running `ketter up` answer. It holds passwords: never log it.
type Services struct {
	PID          int      `json:"pid"`
	API          string   `json:"api"`
	DBURL        string   `json:"db_url"`
	RedisURL     string   `json:"redis_url"`
	AllowedRoots []string `json:"allowed_roots"`
}

// WriteServices leaves word in stateDir, which this process holds, for other commands of the same user. remove takes it away.
func WriteServices(stateDir string, services Services) (remove func(), err error) {
	services.PID = os.Getpid()
	content, err := json.Marshal(services)
	if err != nil {
		return nil, err
	}
	path := servicesPath(stateDir)
	if err := replaceFile(path, content); err != nil {
		return nil, fmt.Errorf("can't write %s: %w", path, err)
	}
	return func() { _ = os.Remove(path) }, nil // one that stays is not believed
}

// ReadServices returns what the `ketter up` that runs on stateDir has left word of; found is false when none runs.
func ReadServices(stateDir string) (services Services, found bool, err error) {
	content, err := readOwn(stateDir, servicesPath(stateDir))
	if errors.Is(err, fs.ErrNotExist) {
		return Services{}, false, nil
	}
	if err != nil {
		return Services{}, false, fmt.Errorf("can't ask where the running ketter answers: %w", err)
	}
	if err := json.Unmarshal(content, &services); err != nil {
		return Services{}, false, fmt.Errorf("can't understand %s: it is not what `ketter up` writes", servicesPath(stateDir))
	}
	if !held(stateDir, services.PID) {
		return Services{}, false, nil
	}
	return services, true, nil
}

// readOwn reads a file that nobody but this user can have put there: it names databases and folders to be used.
func readOwn(dir, path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	for _, own := range []struct {
		stat func(*unix.Stat_t) error
		mode uint32 // that nobody else may have
	}{
		{func(s *unix.Stat_t) error { return unix.Stat(dir, s) }, 0o022},
		{func(s *unix.Stat_t) error { return unix.Fstat(int(file.Fd()), s) }, 0o077},
	} {
		var stat unix.Stat_t
		if err := own.stat(&stat); err != nil {
			return nil, err
		}
		if int(stat.Uid) != os.Geteuid() || uint32(stat.Mode)&own.mode != 0 {
			return nil, fmt.Errorf("%s is not this user's alone: run this as the user that runs ketter, or set DB_URL", dir)
		}
	}
	const most = 1 << 20
	return io.ReadAll(io.LimitReader(file, most))
}

func servicesPath(stateDir string) string { return filepath.Join(stateDir, "services.json") }

// replaceFile makes a file that its owner alone can read, and shows it only when it is whole.
func replaceFile(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}

// held reports whether the process that wrote the services still has the directory. The lock is tried only where a process of
// this number lives, so that no `ketter up` that is just starting is told that the directory is taken.
func held(stateDir string, pid int) bool {
	if err := unix.Kill(pid, 0); pid <= 0 || err != nil && !errors.Is(err, unix.EPERM) {
		return false
	}
	file, err := os.Open(filepath.Join(stateDir, "lock"))
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }() // and with it the lock, if it was free
	return errors.Is(unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}
