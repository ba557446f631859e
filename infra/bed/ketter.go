package bed

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Settings of Ketter's processes.
type Settings struct {
	Database     string // whose jobs nobody will miss
	Label        string // KETTER_WORKER_LABEL
	AllowedRoots string
	More         []string // of the environment
}

// Ketter is `ketter serve` and one `ketter worker`, on one database.
type Ketter struct {
	API    *API
	Worker *Process

	program, dir string
	env          []string
	serve        *Process
}

// NewKetter prepares the processes of a program, which log into dir.
func NewKetter(program, dir string, s Settings) (*Ketter, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	env := append(os.Environ(), "DB_URL="+s.Database, "KETTER_LISTEN="+address, "KETTER_ALLOWED_ROOTS="+s.AllowedRoots, "KETTER_WORKER_LABEL="+s.Label,
		"KETTER_SECRET_KEY="+base64.StdEncoding.EncodeToString(secret), "KETTER_LOG_LEVEL=info", "KETTER_LOG_FORMAT=json")
	if os.Getenv("REDIS_URL") == "" {
		env = append(env, "REDIS_URL=redis://127.0.0.1:1") // nobody: workers do without
	}
	return &Ketter{API: &API{base: "http://" + address}, program: program, dir: dir, env: append(env, s.More...)}, listener.Close()
}

// Start migrates the database, starts the processes and returns once they answer.
func (k *Ketter) Start(ctx context.Context) (err error) {
	migrate := exec.CommandContext(ctx, k.program, "migrate", "up")
	migrate.Env = k.env
	if said, err := migrate.CombinedOutput(); err != nil {
		return fmt.Errorf("migrating the database: %w: %s", err, said)
	}
	if k.serve, err = Start(k.log("serve"), k.env, k.program, "serve"); err != nil {
		return err
	}
	if err := k.StartWorker(); err != nil {
		return err
	}
	if err := k.API.awaitReady(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, k.Told())
	}
	return nil
}

// StartWorker starts the worker, also in place of one that was killed.
func (k *Ketter) StartWorker() (err error) {
	k.Worker, err = Start(k.log("worker"), k.env, k.program, "worker")
	return err
}

// Stop ends the processes in order.
func (k *Ketter) Stop() (err error) {
	for _, p := range []*Process{k.Worker, k.serve} {
		if p != nil && p.Alive() {
			err = errors.Join(err, p.Stop(30*time.Second))
		}
	}
	return err
}

// Pid is that of `ketter serve`.
func (k *Ketter) Pid() int { return k.serve.Pid() }

// WorkerLog is all that workers have said.
func (k *Ketter) WorkerLog() string { return k.log("worker") }

// Told is the end of their logs.
func (k *Ketter) Told() string { return tail(k.log("serve")) + tail(k.log("worker")) }

func (k *Ketter) log(name string) string { return filepath.Join(k.dir, name+".log") }
