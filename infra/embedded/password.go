package embedded

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func newPassword() (string, error) {
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return "", fmt.Errorf("can't make a password: %w", err)
	}
	return hex.EncodeToString(random), nil
}

// readPassword returns the password kept in stateDir, or "" when there is none yet.
func readPassword(stateDir string) (string, error) {
	content, err := os.ReadFile(passwordPath(stateDir))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("can't read the database's password (does another user own the state directory?): %w", err)
	}
	return strings.TrimSpace(string(content)), nil
}

// ensurePassword returns the password kept in stateDir, making one first when there is none.
func ensurePassword(stateDir string) (string, error) {
	password, err := readPassword(stateDir)
	if err != nil || password != "" {
		return password, err
	}
	if password, err = newPassword(); err != nil {
		return "", err
	}
	return password, writeFile(passwordPath(stateDir), password+"\n", nil)
}

func passwordPath(stateDir string) string { return filepath.Join(stateDir, "postgres.password") }

// writeFile puts content, 0600 and owned by owner, under path in one step: a crash leaves the old file or the new one. It
// never follows a link that owner may have put there.
func writeFile(path, content string, owner *account) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	defer func() { _ = file.Close() }()
	if _, err := file.WriteString(content); err != nil {
		return err
	}
	if owner != nil {
		if err := file.Chown(int(owner.uid), int(owner.gid)); err != nil {
			return err
		}
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
