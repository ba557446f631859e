package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// minMajor is the oldest PostgreSQL that its makers still maintain.
const minMajor = 14

// binaries is one installation of PostgreSQL's server.
type binaries struct {
	dir     string // holds postgres and initdb
	version string // "15.18"
	major   int
}

func (b binaries) tool(name string) string { return filepath.Join(b.dir, name) }

// findBinaries chooses an installation: binDir when given, else the one whose major version has data already, else the one
// on PATH, else the newest of the places where packages put it.
func findBinaries(ctx context.Context, binDir string, withData []int) (binaries, error) {
	if binDir != "" {
		found, err := inspect(ctx, binDir)
		if err != nil {
			return binaries{}, fmt.Errorf("PG_BINDIR has no PostgreSQL server: %w", err)
		}
		return found, nil
	}
	installed := installations(ctx)
	if len(installed) == 0 {
		return binaries{}, fmt.Errorf("no PostgreSQL %d or newer on this machine: install it (apt install postgresql, "+
			"or brew install postgresql@16), set PG_BINDIR to the folder of its binaries, or set DB_URL to a running server", minMajor)
	}
	if len(withData) == 0 {
		return installed[0], nil
	}
	for _, major := range withData {
		for _, candidate := range installed {
			if candidate.major == major {
				return candidate, nil
			}
		}
	}
	return binaries{}, fmt.Errorf("the state directory holds a database of PostgreSQL %d, but this machine has only %s: "+
		"install PostgreSQL %[1]d again, set PG_BINDIR, or move postgres-%[1]d aside to begin afresh", withData[0], installed[0].version)
}

// installations returns what is on PATH, then what packages installed, newest first.
func installations(ctx context.Context) []binaries {
	var found []binaries
	for _, dir := range packagedDirs() {
		if candidate, err := inspect(ctx, dir); err == nil {
			found = append(found, candidate)
		}
	}
	slices.SortStableFunc(found, func(a, b binaries) int { return cmp.Compare(b.major, a.major) })
	for _, name := range []string{"initdb", "postgres", "pg_ctl"} {
		// On PATH may be a lone symlink: initdb looks for postgres beside itself, so what counts is where the link leads.
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if path, err = filepath.EvalSymlinks(path); err != nil {
			continue
		}
		if candidate, err := inspect(ctx, filepath.Dir(path)); err == nil {
			return append([]binaries{candidate}, found...)
		}
	}
	return found
}

func packagedDirs() []string {
	var dirs []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",          // Debian, Ubuntu
		"/usr/pgsql-*/bin",                   // PostgreSQL's own RPMs
		"/opt/homebrew/opt/postgresql@*/bin", // Homebrew, Apple silicon
		"/usr/local/opt/postgresql@*/bin",    // Homebrew, Intel
		"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		matches, _ := filepath.Glob(pattern) // the only error is a bad pattern
		dirs = append(dirs, matches...)
	}
	return dirs
}

// inspect says what is in dir, or why it can't be used.
func inspect(ctx context.Context, dir string) (binaries, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return binaries{}, err
	}
	for _, name := range []string{"postgres", "initdb"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return binaries{}, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	output, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return binaries{}, fmt.Errorf("%s --version: %w", filepath.Join(dir, "postgres"), err)
	}
	return parseVersion(dir, string(output))
}

// parseVersion reads "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"; betas read "18beta1".
func parseVersion(dir, output string) (binaries, error) {
	_, rest, _ := strings.Cut(output, "(PostgreSQL) ")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return binaries{}, fmt.Errorf("%s does not say its version", dir)
	}
	digits := fields[0]
	if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		digits = digits[:end]
	}
	major, err := strconv.Atoi(digits)
	if err != nil {
		return binaries{}, fmt.Errorf("%s has an unknown version %q", dir, fields[0])
	}
	if major < minMajor {
		return binaries{}, errors.New(dir + " is PostgreSQL " + fields[0] + ", which is older than " + strconv.Itoa(minMajor))
	}
	return binaries{dir: dir, version: fields[0], major: major}, nil
}
