package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// initTimeout bounds the making of a cluster; it takes seconds, on a slow disk tens of them.
const initTimeout = 3 * time.Minute

// cluster is a data directory with all that is needed to run a server on it.
type cluster struct {
	binaries binaries
	account  *account
	stateDir string // absolute
	dataDir  string // absolute, no symlinks; exists once prepared
	password string
	ping     func(ctx context.Context, url string) error
	log      zerolog.Logger
}

// openCluster finds the cluster of options.StateDir, and makes it when there is none.
func openCluster(ctx context.Context, options PostgresOptions) (*cluster, error) {
	stateDir, err := filepath.Abs(options.StateDir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(stateDir, 0o755); err != nil {
		return nil, fmt.Errorf("can't make the state directory: %w", err)
	}
	majors := majorsWithData(stateDir)
	found, err := findBinaries(ctx, options.BinDir, majors)
	if err != nil {
		return nil, err
	}
	if len(majors) > 0 && !slices.Contains(majors, found.major) {
		options.Logger.Warn().Int("postgres", found.major).Ints("other_databases", majors).
			Msg("The state directory holds a database of another PostgreSQL; it stays untouched and a new one is made")
	}
	c := &cluster{binaries: found, stateDir: stateDir, ping: options.Ping, log: options.Logger}
	link := filepath.Join(stateDir, dataName(found.major))
	if c.account, err = chooseAccount(link); err != nil {
		return nil, err
	}
	_, err = os.Stat(link)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = c.create(ctx, link, options.ElsewhereDir)
	case err == nil:
		err = c.open(link)
	}
	return c, err
}

// open takes the cluster that is there.
func (c *cluster) open(link string) (err error) {
	if c.dataDir, err = filepath.EvalSymlinks(link); err != nil {
		return err
	}
	if c.password, err = readPassword(c.stateDir); err == nil && c.password == "" {
		err = fmt.Errorf("the database in %s is there, but its password file %s is not: put it back, or move the database aside to begin afresh",
			c.dataDir, passwordPath(c.stateDir))
	}
	return err
}

// create makes the cluster in a scratch folder beside its place and renames it there when it is complete, so that what
// bears the name can be trusted whenever this is killed.
func (c *cluster) create(ctx context.Context, link, elsewhereDir string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, initTimeout)
	defer cancel()
	if c.password, err = ensurePassword(c.stateDir); err != nil {
		return fmt.Errorf("can't keep the database's password: %w", err)
	}
	scratch, err := c.findPlace(ctx, link, elsewhereDir)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	c.log.Info().Str("postgres", c.binaries.version).Stringer("user", c.account).Msg("Making the database")
	data := filepath.Join(scratch, "data")
	if err := c.initdb(ctx, scratch, data); err != nil {
		return err
	}
	home := filepath.Dir(scratch)
	c.dataDir = filepath.Join(home, dataName(c.binaries.major))
	if err := os.Rename(data, c.dataDir); err != nil {
		return fmt.Errorf("can't put the database in its place: %w", err)
	}
	return syncDir(home)
}

func (c *cluster) initdb(ctx context.Context, scratch, data string) error {
	passwordFile := filepath.Join(scratch, "password")
	if err := writeFile(passwordFile, c.password+"\n", c.account); err != nil {
		return err
	}
	err := c.run(ctx, scratch, "", "initdb", "-D", data, "--username=ketter", "--pwfile="+passwordFile, "--auth=scram-sha-256",
		"--encoding=UTF8", "--no-locale", "--data-checksums")
	if err := errors.Join(err, os.Remove(passwordFile)); err != nil {
		return err
	}
	// Single-user mode needs neither a running server nor a password.
	return c.run(ctx, scratch, "CREATE DATABASE ketter\n", "postgres", "--single", "-D", data, "-c", "exit_on_error=true", "postgres")
}

// run runs one of the binaries as the account to its end; an error shows the last lines of what it said.
func (c *cluster) run(ctx context.Context, dir, input, tool string, arguments ...string) error {
	command := c.command(ctx, dir, tool, arguments...)
	command.Stdin = strings.NewReader(input)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	command.Cancel = func() error { return unix.Kill(-command.Process.Pid, unix.SIGKILL) } // initdb has children
	command.WaitDelay = 5 * time.Second
	err := command.Run()
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", tool, ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("%s as %s: %w%s", tool, c.account, err, lastLines(output.String()))
	}
	return nil
}

// command is one of the binaries as the account, with none of our environment that could lead it elsewhere.
func (c *cluster) command(ctx context.Context, dir, tool string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, c.binaries.tool(tool), arguments...)
	command.Dir = dir
	command.SysProcAttr = c.account.attributes()
	command.Env = []string{"PATH=" + c.binaries.dir + ":/usr/bin:/bin", "HOME=" + dir, "LC_ALL=C", "TZ=UTC"}
	if path := os.Getenv("LD_LIBRARY_PATH"); path != "" {
		command.Env = append(command.Env, "LD_LIBRARY_PATH="+path)
	}
	return command
}

func dataName(major int) string { return "postgres-" + strconv.Itoa(major) }

// majorsWithData lists the major versions whose data the state directory holds, newest first.
func majorsWithData(stateDir string) []int {
	var majors []int
	entries, _ := os.ReadDir(stateDir) // what can't be read is told when it is used
	for _, entry := range entries {
		number, ok := strings.CutPrefix(entry.Name(), "postgres-")
		major, err := strconv.Atoi(number)
		if !ok || err != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(stateDir, entry.Name())); err == nil {
			majors = append(majors, major)
		}
	}
	slices.Sort(majors)
	slices.Reverse(majors)
	return majors
}
