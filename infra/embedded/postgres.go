package embedded

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// How long the steps of an orderly end may take beyond the context's own deadline.
const (
	quitTimeout = 10 * time.Second // the server itself kills its children after 5
	killTimeout = 5 * time.Second
)

// PostgresOptions say where the database lies and what it is run with.
type PostgresOptions struct {
	StateDir string // must be held by LockState
	BinDir   string // PG_BINDIR: where postgres and initdb are; empty: looked for
	// ElsewhereDir takes the database when PostgreSQL's user can't reach StateDir; empty: /var/lib/ketter.
	ElsewhereDir string
	// Ping connects with url and asks something. It proves that a server is ours: SCRAM lets neither side in without the password.
	Ping   func(ctx context.Context, url string) error
	Logger zerolog.Logger
}

// Description is what may be told about a server: it holds no secret.
type Description struct {
	Version string // "15.18"
	Port    int    // on 127.0.0.1
	PID     int
	DataDir string
	LogPath string
	Adopted bool // it was running already
}

func (d Description) String() string {
	how := "started"
	if d.Adopted {
		how = "adopted"
	}
	return fmt.Sprintf("PostgreSQL %s on 127.0.0.1:%d (%s, data in %s)", d.Version, d.Port, how, d.DataDir)
}

// Postgres is a running server that this process answers for.
type Postgres struct {
	description Description
	password    string
	signal      func(unix.Signal) error
	stopping    atomic.Bool
	done        chan struct{} // closed when the server is gone
	err         error         // why, when nobody stopped it; set before done is closed
}

// StartPostgres adopts the server that runs on options.StateDir's data, or starts one, making the database first when there
// is none. ctx bounds the start only; the server runs until Stop.
func StartPostgres(ctx context.Context, options PostgresOptions) (*Postgres, error) {
	if options.Ping == nil || options.StateDir == "" {
		return nil, errors.New("embedded.StartPostgres needs a StateDir and a Ping")
	}
	c, err := openCluster(ctx, options)
	if err != nil {
		return nil, err
	}
	p, err := c.adopt(ctx)
	if err == nil && p == nil {
		p, err = c.start(ctx)
	}
	if err != nil {
		return nil, err
	}
	c.log.Info().Str("postgres", p.description.Version).Int("port", p.description.Port).Int("pid", p.description.PID).
		Str("data", p.description.DataDir).Bool("adopted", p.description.Adopted).Msg("PostgreSQL is ready")
	return p, nil
}

// URL is where it answers. It contains the password: never log it.
func (p *Postgres) URL() string {
	return databaseURL(p.password, p.description.Port)
}

func databaseURL(password string, port int) string {
	address := url.URL{Scheme: "postgres", User: url.UserPassword("ketter", password),
		Host: "127.0.0.1:" + strconv.Itoa(port), Path: "/ketter", RawQuery: "sslmode=disable"}
	return address.String()
}

// Describe says what runs, without secrets.
func (p *Postgres) Describe() Description { return p.description }

// Done is closed when the server is gone, by Stop or by itself.
func (p *Postgres) Done() <-chan struct{} { return p.done }

// Err says, once Done is closed, why the server went though nobody had stopped it; nil after Stop.
func (p *Postgres) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Stop ends the server and waits until it is gone: in order (connections are cut, all is written) while ctx lasts, then at
// once, which costs the next start a recovery and loses nothing that was committed.
func (p *Postgres) Stop(ctx context.Context) error {
	p.stopping.Store(true)
	for _, step := range []struct {
		signal unix.Signal
		within time.Duration
	}{{unix.SIGINT, 0}, {unix.SIGQUIT, quitTimeout}, {unix.SIGKILL, killTimeout}} {
		if step.within > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), step.within)
			defer cancel()
		}
		if p.sendAndWait(ctx, step.signal) {
			return nil
		}
	}
	return fmt.Errorf("PostgreSQL (pid %d) does not end", p.description.PID)
}

// sendAndWait says whether the server is gone.
func (p *Postgres) sendAndWait(ctx context.Context, signal unix.Signal) bool {
	select {
	case <-p.done:
		return true
	default:
	}
	_ = p.signal(signal)       // it may just have ended
	_ = p.signal(unix.SIGCONT) // a suspended process can't end in order
	select {
	case <-p.done:
		return true
	case <-ctx.Done():
		return false
	}
}
