// Benchssh times Ketter's jobs between two hosts beside the tools that people use instead: tar | ssh tar, rsync, scp, rclone. The
// two hosts are this machine and a real sshd on its loopback, behind a proxy that delays each byte; both ends are a file
// system in memory. infra/bench_ssh.sh builds what it needs and runs it.
//
// In each round each way runs once, in turn and into a folder of its own, so that a slow moment of the machine hits all
// alike. What each way made is compared with the source every time. A tool's time is that of its whole process; Ketter's is what its
// history says, from `started` to `finished` of a job in a running worker, with verification by checksum.
//
//	main.go     the flags and the order of things
//	task.go     what is measured: 20ms:2000x1KiB:5:tar,zip-first
//	way.go      by what
//	field.go    sshd, proxy and Ketter, and what the ways are told of them
//	measure.go  the rounds
//	report.go   the document, and JSON
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench-ssh:", err)
		os.Exit(1) // all that was made is removed by now
	}
}

type options struct {
	ketter, database, dir string
	output, json          string
	quick                 bool
	tasks                 []task
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench_ssh.sh", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.ketter, "ketter", "", "the ketter to measure (bench_ssh.sh builds it); without it, only the others are")
	flags.StringVar(&o.database, "database", "", "its PostgreSQL, whose jobs nobody will miss; else what DB_URL names, as bench_ssh.sh does")
	flags.StringVar(&o.dir, "dir", "/dev/shm", "a folder in memory, for both ends")
	flags.StringVar(&o.output, "output", "", "the Markdown document to write")
	flags.StringVar(&o.json, "json", "", "a file for every single time, as JSON")
	flags.BoolVar(&o.quick, "quick", false, "small sets, one round: to see that it works")
	flags.Func("task", "what to measure instead, repeatable: ROUNDTRIP:FILESxSIZE:ROUNDS:WAY,WAY with the ways "+wayNames()+
		"; the first is what the others are compared with", func(text string) error {
		t, err := parseTask(text)
		o.tasks = append(o.tasks, t)
		return err
	})
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("what is %q? See --help", flags.Arg(0))
	}
	if o.database == "" {
		o.database = os.Getenv("DB_URL")
	}
	if o.ketter != "" && o.database == "" {
		return o, errors.New("--ketter needs --database or DB_URL, a PostgreSQL whose jobs nobody will miss: infra/bench_ssh.sh has one")
	}
	if len(o.tasks) == 0 {
		o.tasks = usual(o.quick)
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.dir, err = os.MkdirTemp(o.dir, "ketter-bench-ssh-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	f, err := newField(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	b := bench{field: f, progress: stderr}
	doc := document{Quick: o.quick, Machine: describeMachine(ctx, o.ketter)}
	for _, t := range o.tasks {
		rows, err := b.measure(ctx, t)
		if err != nil {
			return err
		}
		section := table{Task: t, Rows: rows}
		doc.Tables = append(doc.Tables, section)
		fmt.Fprint(stdout, section.markdown())
	}
	return errors.Join(doc.write(o.output, o.json), doc.failures())
}
