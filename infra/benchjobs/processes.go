package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// services are the processes that are measured.
type services struct {
	api     *client
	running []*exec.Cmd
}

// start prepares the database, starts the API and the workers, and returns once all answer.
func start(ctx context.Context, o options, stderr io.Writer) (*services, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	environment := append(os.Environ(), "KETTER_LISTEN="+address, "KETTER_ALLOWED_ROOTS="+o.dir,
		fmt.Sprintf("KETTER_CONCURRENCY=%d", o.concurrency), "KETTER_LOG_LEVEL=warn")
	migrate := exec.CommandContext(ctx, o.ketter, "migrate", "up")
	migrate.Env, migrate.Stderr = environment, stderr
	if err := migrate.Run(); err != nil {
		return nil, fmt.Errorf("migrating the database: %w", err)
	}
	s := &services{api: newClient("http://" + address)}
	commands := [][]string{{o.ketter, "serve"}}
	for range o.workers {
		commands = append(commands, []string{o.ketter, "worker"})
	}
	for _, command := range commands {
		process := exec.Command(command[0], command[1:]...)
		process.Env, process.Stderr = environment, stderr
		if err := process.Start(); err != nil {
			return nil, errors.Join(err, s.stop())
		}
		s.running = append(s.running, process)
	}
	if err := s.api.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// stop asks the processes to end, and ends those that don't.
func (s *services) stop() error {
	var errs []error
	for _, process := range s.running {
		_ = process.Process.Signal(syscall.SIGTERM) // one that has ended is told by Wait
	}
	for _, process := range s.running {
		kill := time.AfterFunc(20*time.Second, func() { _ = process.Process.Kill() })
		errs = append(errs, process.Wait())
		kill.Stop()
	}
	return errors.Join(errs...)
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
