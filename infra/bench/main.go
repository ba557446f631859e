// Bench times `ketter transfer` beside the tools that people use instead, and writes a Markdown document. infra/bench.sh
// builds what it needs and runs it.
//
// In each round each way runs once, in turn, as a whole process and into a folder of its own, so that a slow moment of the machine
// hits all alike. What each way made is compared with the source in its first round. Medians and minima are told, and
// the ratio to cp -a and to the same work done without Ketter. A way that can't run, fails or makes something else than
// a copy is told in its row; the last two end the program with status 1.
//
//	main.go     the flags and the order of things
//	place.go    where: memory, disk, a mount with latency
//	way.go      by what: cp -a, rsync, ketter
//	measure.go  the rounds
//	machine.go  what it was measured on
//	report.go   the document; head.md is its beginning
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/ketter/ketter/infra/sample"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) // all that was made is removed by now
	}
}

type options struct {
	places, ways, sets, latencySets, moveSets string
	rounds, latencyRounds                     int
	quick                                     bool
	memoryDir, diskDir                        string
	ketter, latencyfs, output                 string
}

// quick is what --quick alters, unless the flag is given as well.
var quick = map[string]string{
	"places":       "memory,disk,latency:2ms",
	"sets":         "2000x1KiB,1x64MiB+500x4KiB",
	"latency-sets": "50x1KiB,1x16MiB",
	"move-sets":    "5000x2KiB",
	"rounds":       "3",
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench.sh", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.places, "places", "memory,disk,latency:2ms,latency:20ms",
		"where: memory, disk, latency:DELAY (the destination behind it) or latency:DELAY:both (the source too)")
	flags.StringVar(&o.ways, "ways", wayNames(ways), "by what")
	flags.StringVar(&o.sets, "sets", "2000x1KiB,2000x1MiB,100000x2KiB,1x5GiB,1x2GiB+2000x4KiB", "what is copied: FILESxSIZE[+FILESxSIZE...]")
	flags.StringVar(&o.latencySets, "latency-sets", "2000x1KiB,1x64MiB", "what is copied where there is latency")
	flags.StringVar(&o.moveSets, "move-sets", "100000x2KiB", "what is moved within memory and disk")
	flags.IntVar(&o.rounds, "rounds", 5, "rounds")
	flags.IntVar(&o.latencyRounds, "latency-rounds", 1, "rounds where there is latency")
	flags.BoolVar(&o.quick, "quick", false, "smaller and fewer sets: a minute or two")
	flags.StringVar(&o.memoryDir, "memory-dir", "/dev/shm", "a folder in memory")
	flags.StringVar(&o.diskDir, "disk-dir", "/var/tmp", "a folder on disk")
	flags.StringVar(&o.output, "output", "", "the Markdown document to write")
	flags.StringVar(&o.ketter, "ketter", "", "the ketter to measure (bench.sh builds it)")
	flags.StringVar(&o.latencyfs, "latencyfs", "", "the latencyfs to mount (bench.sh builds it)")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("what is %q? See --help", flags.Arg(0))
	}
	return o, o.quicken(flags)
}

func (o *options) quicken(flags *flag.FlagSet) error {
	if o.rounds < 1 || o.latencyRounds < 1 {
		return errors.New("at least one round is needed")
	}
	if !o.quick {
		return nil
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range quick {
		if given[name] {
			continue
		}
		if err := flags.Set(name, value); err != nil {
			return err
		}
	}
	return nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	plan, err := newPlan(o)
	if err != nil {
		return err
	}
	if err := plan.checkRoom(); err != nil {
		return err
	}
	b := &bench{ketter: o.ketter, isRoot: os.Geteuid() == 0, lookPath: exec.LookPath, progress: stderr}
	doc := document{quick: o.quick, machine: describeMachine(ctx, o), ways: plan.ways}
	for _, p := range plan.places {
		section, err := b.measurePlace(ctx, p)
		if err != nil {
			return err
		}
		doc.sections = append(doc.sections, section)
		if _, err := io.WriteString(stdout, section.markdown()); err != nil {
			return err
		}
	}
	if o.output != "" {
		if err := os.WriteFile(o.output, []byte(doc.markdown()), 0o644); err != nil {
			return err
		}
	}
	return doc.failures()
}

// plan is what the flags ask for.
type plan struct {
	places []*place
	ways   []way
}

func newPlan(o options) (plan, error) {
	var p plan
	var err error
	if p.ways, err = chooseWays(o.ways, o.ketter); err != nil {
		return p, err
	}
	for name := range strings.SplitSeq(o.places, ",") {
		place, err := newPlace(name, o)
		if err != nil {
			return p, err
		}
		place.plan(p.ways)
		p.places = append(p.places, place)
	}
	return p, nil
}

// checkRoom asks for three times the largest set: the source, the destination, and the archive of ZIP_FIRST beside it.
func (p plan) checkRoom() error {
	for _, place := range p.places {
		for _, task := range place.tasks {
			if place.refused != "" {
				continue
			}
			needed := 3 * (task.set.Bytes() + int64(task.set.Files())*8<<10)
			if found := place.room(); found < needed {
				return fmt.Errorf("%s: %s needs %s, and %s are free: choose smaller sets (--sets) or another folder (--memory-dir, --disk-dir)",
					place.name, task.set, sample.BytesText(needed), sample.BytesText(found))
			}
		}
	}
	return nil
}

// bench runs ways and times them.
type bench struct {
	ketter   string
	isRoot   bool
	lookPath func(string) (string, error)
	progress io.Writer
}

func (b *bench) measurePlace(ctx context.Context, p *place) (s section, err error) {
	s = section{place: p.title(), about: p.about(b.isRoot)}
	if p.refused == "" {
		err = p.open(ctx)
		defer func() { err = errors.Join(err, p.close()) }()
	}
	if err != nil {
		return s, err
	}
	if p.refused != "" {
		s.about = "Not measured: " + p.refused
		return s, nil
	}
	for _, t := range p.tasks {
		rows, err := b.measure(ctx, p, t)
		if err != nil {
			return s, err
		}
		s.tables = append(s.tables, table{task: t, rows: rows})
	}
	return s, nil
}

// task is a set, to be copied or moved by these ways.
type task struct {
	set    sample.Set
	ways   []way
	rounds int
}
