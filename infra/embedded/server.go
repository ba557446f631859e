package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const (
	startTimeout = 3 * time.Minute // recovery after a crash may take that long
	startTries   = 6
	firstPause   = 100 * time.Millisecond // doubled after every try
	pollEvery    = 20 * time.Millisecond
	pingTimeout  = 2 * time.Second
)

// start runs a server of ours on the cluster.
func (c *cluster) start(ctx context.Context) (*Postgres, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for try := 1; ; try++ {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		p, err := c.startOn(ctx, port)
		if err == nil || try == startTries || !c.mayPass(port) {
			return p, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(firstPause << try):
		}
	}
}

// mayPass says whether a start may have failed for a reason that passes: another program was faster to take the port, or
// children of a killed server still hold its shared memory, which they leave within moments. A server that can't start for
// that reason leaves its predecessor's postmaster.pid.
func (c *cluster) mayPass(port int) bool {
	return !isFree(port) || readPIDFile(c.dataDir).pid != 0
}

func (c *cluster) startOn(ctx context.Context, port int) (*Postgres, error) {
	config := filepath.Join(c.dataDir, "ketter.conf")
	if err := writeFile(config, settings(port), c.account); err != nil {
		return nil, fmt.Errorf("can't configure PostgreSQL: %w", err)
	}
	log, err := openServerLog(c.stateDir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.file.Close() }() // the server has its own handle
	// Not bound to ctx: the server outlives the start.
	command := c.command(context.WithoutCancel(ctx), c.dataDir, "postgres", "-D", c.dataDir, "-c", "config_file="+config)
	command.Stdout, command.Stderr = log.file, log.file
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("can't start PostgreSQL on %s as %s: %w", c.dataDir, c.account, err)
	}
	p := c.newPostgres(command.Process.Pid, port, log)
	go func() {
		defer close(p.done)
		_ = command.Wait() // what it would say is in ProcessState
		if !p.stopping.Load() {
			p.err = fmt.Errorf("PostgreSQL ended by itself (%s)%s", command.ProcessState, log.tail())
		}
	}()
	if err := c.waitReady(ctx, p); err != nil {
		return nil, errors.Join(err, p.Stop(ctx))
	}
	return p, nil
}

// waitReady blocks until the server accepts our password, is gone, or ctx ends.
func (c *cluster) waitReady(ctx context.Context, p *Postgres) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		if state := readPIDFile(c.dataDir); state.pid == p.description.PID && state.ready && c.answers(ctx, p) == nil {
			return nil
		}
		select {
		case <-p.done:
			return p.err
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL did not become ready: %w (see %s)", ctx.Err(), p.description.LogPath)
		case <-ticker.C:
		}
	}
}

func (c *cluster) answers(ctx context.Context, p *Postgres) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return c.ping(ctx, p.URL())
}

func (c *cluster) newPostgres(pid, port int, log serverLog) *Postgres {
	return &Postgres{
		description: Description{Version: c.binaries.version, Port: port, PID: pid, DataDir: c.dataDir, LogPath: log.path},
		password:    c.password,
		signal:      signaller(pid),
		done:        make(chan struct{}),
	}
}

// settings come after the cluster's own postgresql.conf, which people may edit. The socket directory is empty because the
// path of a socket may not be longer than about 100 bytes.
func settings(port int) string {
	return `# Written by ketter at every start. Put your own settings into postgresql.conf, which is read first.
include 'postgresql.conf'
listen_addresses = '127.0.0.1'
port = ` + strconv.Itoa(port) + `
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
fsync = on
cluster_name = 'ketter'
timezone = 'UTC'
log_timezone = 'UTC'
log_destination = 'stderr'
logging_collector = off
log_checkpoints = off
jit = off
`
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("no free port on 127.0.0.1: %w", err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

func isFree(port int) bool {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// removeRecycled removes a postmaster.pid whose pid now is another program's, as it may be after a reboot: PostgreSQL takes
// any live process of the same user for its server and refuses to start. Whatever else is stale in it is PostgreSQL's own business.
func (c *cluster) removeRecycled(ctx context.Context, state pidFile) error {
	if state.pid == 0 || len(commandLine(ctx, state.pid)) == 0 {
		return nil
	}
	c.log.Warn().Int("pid", state.pid).Msg("postmaster.pid names a process that is not our PostgreSQL; it is stale")
	return os.Remove(filepath.Join(c.dataDir, "postmaster.pid"))
}
