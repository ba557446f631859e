package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ketter/ketter/infra/machine"
	"github.com/ketter/ketter/infra/sample"
)

// row is what one way took, or why it didn't.
type row struct {
	way    way
	times  []time.Duration
	note   string
	failed bool
}

func (r *row) fail(format string, args ...any) { r.note, r.failed = fmt.Sprintf(format, args...), true }

func (r row) fastest() time.Duration { return slices.Min(r.times) }

func (r row) median() time.Duration {
	sorted := slices.Sorted(slices.Values(r.times))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// measure makes the set, runs each way once in each round, and removes what was made.
func (b *bench) measure(ctx context.Context, p *place, t task) ([]row, error) {
	from, err := os.MkdirTemp(p.dir, "from.")
	if err != nil {
		return nil, err
	}
	source := filepath.Join(from, "source")
	if err := t.set.Make(source); err != nil {
		return nil, err
	}
	rows, err := b.runRounds(ctx, p, t, source)
	return rows, errors.Join(err, os.RemoveAll(from))
}

func (b *bench) runRounds(ctx context.Context, p *place, t task, source string) ([]row, error) {
	wanted, err := sample.Digest(source)
	if err != nil {
		return nil, err
	}
	rows := make([]row, len(t.ways))
	for i, w := range t.ways {
		rows[i] = row{way: w, note: b.refusal(w, p)}
	}
	for round := range t.rounds {
		order := rand.New(rand.NewPCG(1, uint64(round))).Perm(len(rows)) // nobody always comes after the same one
		for _, i := range order {
			r := &rows[i]
			if r.note != "" {
				continue
			}
			if err := b.once(ctx, p, source, r, wanted); err != nil {
				return nil, err
			}
			b.tell(p, t, round, *r)
		}
	}
	return rows, nil
}

func (b *bench) tell(p *place, t task, round int, r row) {
	result := r.note
	if result == "" {
		result = seconds(r.times[len(r.times)-1]) + " s"
	}
	fmt.Fprintf(b.progress, "%s, %s, round %d of %d, %s: %s\n", p.name, t.set, round+1, t.rounds, r.way.name, result)
}

// once runs a way into a new folder and removes what it made. Only what stops the whole run is an error.
func (b *bench) once(ctx context.Context, p *place, source string, r *row, wanted uint64) error {
	to, err := os.MkdirTemp(p.dir, "to.")
	if err != nil {
		return err
	}
	if err := p.settle(ctx, b.isRoot); err != nil {
		return err
	}
	took, output, err := b.run(ctx, r.way, p, source, to)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	made := filepath.Join(to, filepath.Base(source))
	switch {
	case err != nil:
		fmt.Fprintf(b.progress, "%s\n", output)
		r.fail("failed: %v", err)
	case len(r.times) == 0:
		if got, err := sample.Digest(made); err != nil {
			r.fail("failed: its result can't be read")
		} else if got != wanted {
			r.fail("failed: its result differs from the source")
		}
	}
	if r.note == "" {
		r.times = append(r.times, took)
	}
	if r.way.move {
		if err := moveBack(made, source); err != nil {
			return err
		}
	}
	return os.RemoveAll(to)
}

// moveBack gives the next way its source again, if the last one took it.
func moveBack(made, source string) error {
	if _, err := os.Lstat(source); err == nil {
		return nil
	}
	return os.Rename(made, source)
}

// warm has the way's program read from disk, so that dropped caches cost it only its data. What it says doesn't matter.
func (b *bench) warm(ctx context.Context, w way) {
	program := w.tool
	if program == "" {
		program = b.ketter
	}
	_ = exec.CommandContext(ctx, "bash", "-c", `"$1" --version`, "bench", program).Run()
}

// run tells how long a way took and what it said.
func (b *bench) run(ctx context.Context, w way, p *place, source, to string) (time.Duration, string, error) {
	source, to = p.fromPath(source), p.toPath(to)
	b.warm(ctx, w)
	took, output, err := b.script(ctx, w.script, source, to)
	if err != nil || w.then == "" {
		return took, output, err
	}
	if err := p.dropCaches(machine.Data); err != nil {
		return took, "", err
	}
	b.warm(ctx, w)
	more, output, err := b.script(ctx, w.then, source, to)
	return took + more, output, err
}

// script runs to its end or that of ctx.
func (b *bench) script(ctx context.Context, script, source, to string) (time.Duration, string, error) {
	cmd := exec.CommandContext(ctx, "bash", "-o", "pipefail", "-c", script, "bench", source, to)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "KETTER="+b.ketter)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that all of a pipe can be ended
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	begun := time.Now()
	err := cmd.Run()
	return time.Since(begun), strings.TrimSpace(output.String()), err
}
