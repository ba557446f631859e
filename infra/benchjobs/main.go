// Benchjobs measures what a job costs beside its bytes: how long it waits for a free worker, and how many tiny ones are done
// in a second. It starts `ketter serve` and `ketter worker` on the PostgreSQL and Redis that DB_URL and REDIS_URL name,
// speaks to them as anybody does, by HTTP, and prints Markdown. infra/bench_jobs.sh builds what it needs and runs it.
//
// The database should be an empty one: what is queued there already is run, too.
//
//	main.go      the flags and the order of things
//	processes.go `ketter serve` and `ketter worker`
//	api.go       HTTP
//	measure.go   one at a time, and all at once
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench-jobs:", err)
		os.Exit(1) // all that was made is removed by now
	}
}

type options struct {
	ketter, dir                  string
	single, jobs, rounds         int
	concurrency, workers, atOnce int
	pause                        time.Duration
	verify                       string
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench_jobs.sh", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.ketter, "ketter", "", "the ketter to measure (bench_jobs.sh builds it)")
	flags.StringVar(&o.dir, "dir", "/dev/shm", "where the jobs copy: what storages cost is not asked here")
	flags.IntVar(&o.single, "single", 300, "jobs posted one at a time, to an idle worker")
	flags.DurationVar(&o.pause, "pause", 100*time.Millisecond, "about how long it is idle between two of them")
	flags.IntVar(&o.jobs, "jobs", 1000, "jobs posted at once")
	flags.IntVar(&o.rounds, "rounds", 3, "how often that is done")
	flags.IntVar(&o.atOnce, "at-once", 16, "requests under way at once")
	flags.IntVar(&o.concurrency, "concurrency", 2, "jobs that a worker runs at once: KETTER_CONCURRENCY")
	flags.IntVar(&o.workers, "workers", 1, "workers")
	flags.StringVar(&o.verify, "verify", "checksum", "how the jobs verify")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 || min(o.single, o.jobs, o.rounds, o.atOnce, o.concurrency, o.workers) < 1 {
		return o, errors.New("numbers are from 1 on, and all is said by flags: see --help")
	}
	if o.ketter == "" || os.Getenv("DB_URL") == "" || os.Getenv("REDIS_URL") == "" {
		return o, errors.New("--ketter, DB_URL and REDIS_URL are needed: infra/bench_jobs.sh has them")
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.dir, err = os.MkdirTemp(o.dir, "ketter-bench-jobs-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	if err := makeSource(o.dir); err != nil {
		return err
	}
	services, err := start(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, services.stop()) }()
	b := bench{options: o, api: services.api, progress: stderr}
	fmt.Fprintf(stdout, "%d workers, %d jobs each at once; load %s\n\n", o.workers, o.concurrency, load())
	if err := b.oneAtATime(ctx, stdout); err != nil {
		return err
	}
	return b.allAtOnce(ctx, stdout)
}

// makeSource makes what every job copies: a folder with one small file.
func makeSource(dir string) error {
	source := filepath.Join(dir, "source", "take")
	if err := os.MkdirAll(source, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(source, "1.wav"), make([]byte, 1024), 0o644)
}

// load is what the machine does besides, where it tells.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	var a, b, c string
	_, _ = fmt.Sscan(string(text), &a, &b, &c)
	return a + ", " + b + ", " + c
}
