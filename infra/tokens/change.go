package tokens

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lockTime is how long a writer waits for the one before, which takes milliseconds.
const lockTime = 10 * time.Second

// Create adds a token to the file, which is made if it isn't there, and returns its text: it is nowhere else.
func Create(ctx context.Context, path, name string, now time.Time) (text string, err error) {
	if !isName(name) {
		return "", ErrName
	}
	text = generate()
	err = change(ctx, path, func(list []Token) ([]Token, error) {
		switch {
		case find(list, name) >= 0:
			return nil, ErrExists
		case len(list) >= maxTokens:
			return nil, fmt.Errorf("there are %d tokens already, which is the most: revoke one", maxTokens)
		}
		return append(list, Token{Name: name, Created: now, hash: sha256.Sum256([]byte(text))}), nil
	})
	if err != nil {
		return "", err
	}
	return text, nil
}

// Revoke takes a token out of the file.
func Revoke(ctx context.Context, path, name string) error {
	return change(ctx, path, func(list []Token) ([]Token, error) {
		i := find(list, name)
		if i < 0 {
			return nil, ErrNone
		}
		return slices.Delete(list, i, i+1), nil
	})
}

func find(list []Token, name string) int {
	return slices.IndexFunc(list, func(t Token) bool { return t.Name == name })
}

// change replaces the file as a whole, while nobody else does.
func change(ctx context.Context, path string, alter func([]Token) ([]Token, error)) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // the file is replaced, not the link
	}
	release, err := lock(ctx, filepath.Dir(path))
	if err != nil {
		return err
	}
	defer release()
	list, err := Read(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if list, err = alter(list); err != nil {
		return err
	}
	return replace(path, format(list))
}

// lock takes the folder's lock, for the file itself is another one after each change.
func lock(ctx context.Context, folder string) (release func(), err error) {
	dir, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	for {
		err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = dir.Close() }, nil // which frees it
		}
		if errors.Is(err, unix.EWOULDBLOCK) {
			select {
			case <-time.After(20 * time.Millisecond):
				continue
			case <-ctx.Done():
				err = errors.New("another one is changing the tokens, and doesn't come to an end")
			}
		}
		_ = dir.Close()
		return nil, fmt.Errorf("locking %s: %w", folder, err)
	}
}

// replace writes a new file beside the old one and puts it in its place, durable, with the old one's owner and mode.
func replace(path, text string) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".tokens-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(file.Name())
		}
	}()
	if err := keepOwner(file, path); err != nil {
		return err
	}
	if _, err := file.WriteString(text); err != nil {
		return err
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// keepOwner leaves the file to who could read it: most often root changes it, and a service of less rights reads it.
func keepOwner(file *os.File, path string) error {
	old, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	owner, known := old.Sys().(*syscall.Stat_t)
	if !known {
		return errors.New("its owner can't be found out")
	}
	if err := file.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
		return fmt.Errorf("it would change its owner: do this as who owns it, or as root: %w", err)
	}
	return file.Chmod(old.Mode().Perm())
}

func syncFolder(folder string) error {
	dir, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
