package embedded

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// defaultElsewhere is where a database goes that can't lie in its state directory.
const defaultElsewhere = "/var/lib/ketter"

// findPlace returns a new empty folder that belongs to the account, in the folder where the database will lie: the state
// directory, or else, as root when the account can't get there (a checkout below a 0700 home), one below elsewhereDir. Then
// link is made to point to it, before anything is in it, so that nothing is left behind unknown.
func (c *cluster) findPlace(ctx context.Context, link, elsewhereDir string) (scratch string, err error) {
	if target, err := os.Readlink(link); err == nil { // an earlier try that was killed
		return c.scratch(ctx, filepath.Dir(target))
	}
	scratch, err = c.scratch(ctx, c.stateDir)
	if err == nil || c.account == nil || ctx.Err() != nil {
		return scratch, err
	}
	home, elsewhereErr := makeElsewhere(c.stateDir, elsewhereDir)
	if elsewhereErr != nil {
		return "", errors.Join(err, elsewhereErr)
	}
	if err := os.Symlink(filepath.Join(home, dataName(c.binaries.major)), link); err != nil {
		return "", err
	}
	c.log.Info().Stringer("user", c.account).Str("folder", home).
		Msg("PostgreSQL refuses to run as root, and its user can't reach the state directory, so the database goes elsewhere")
	return c.scratch(ctx, home)
}

// scratch makes the folder below home and proves, by running a program in it as the account, that the account can get there.
func (c *cluster) scratch(ctx context.Context, home string) (string, error) {
	pattern := dataName(c.binaries.major) + ".init-"
	if err := sweep(home, pattern); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(home, pattern)
	if err != nil {
		return "", fmt.Errorf("can't make a folder for the database: %w", err)
	}
	if err = c.account.own(dir); err == nil {
		err = c.run(ctx, dir, "", "postgres", "--version")
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return "", fmt.Errorf("can't use %s for the database: %w", home, err)
	}
	return dir, nil
}

// sweep removes what killed runs left half-made. What it can't remove, because an orphaned initdb still writes to it, is
// left for the next time: it bears a name that is never trusted.
func sweep(home, prefix string) error {
	entries, err := os.ReadDir(home)
	if errors.Is(err, os.ErrNotExist) {
		return os.MkdirAll(home, 0o755)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), prefix) {
			_ = os.RemoveAll(filepath.Join(home, entry.Name()))
		}
	}
	return err
}

// makeElsewhere makes a folder of its own for stateDir. Its name tells where it comes from, and is unique: a state directory
// may have been moved, and another made at its old path.
func makeElsewhere(stateDir, elsewhereDir string) (string, error) {
	if elsewhereDir == "" {
		elsewhereDir = defaultElsewhere
	}
	if err := os.MkdirAll(elsewhereDir, 0o755); err != nil {
		return "", err
	}
	digest := sha256.Sum256([]byte(stateDir))
	home, err := os.MkdirTemp(elsewhereDir, hex.EncodeToString(digest[:4])+"-")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(home, 0o755); err != nil { // what it holds is 0700
		return "", err
	}
	return home, os.WriteFile(filepath.Join(home, "STATE_DIR"), []byte(stateDir+"\n"), 0o644)
}

// syncDir makes a rename in dir durable.
func syncDir(dir string) error {
	handle, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = handle.Close() }()
	return handle.Sync()
}
