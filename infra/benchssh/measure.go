package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ketter/ketter/infra/bed"
	"github.com/ketter/ketter/infra/sample"
)

type bench struct {
	*field
	progress io.Writer
}

// row is what one way took, or why it didn't.
type row struct {
	Way    way
	Times  []time.Duration
	Sent   int64 // bytes on the wire to the other host and back, of the last round
	Note   string
	Failed bool
}

func (r *row) fail(format string, args ...any) { r.Note, r.Failed = fmt.Sprintf(format, args...), true }

func (r row) fastest() time.Duration { return slices.Min(r.Times) }

func (r row) median() time.Duration {
	if len(r.Times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(r.Times))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// measure makes the set at both hosts, runs each way once in each round, and removes what was made.
func (b *bench) measure(ctx context.Context, t task) (rows []row, err error) {
	for _, host := range []string{b.near, b.far} {
		source := filepath.Join(host, "from")
		if err := t.Set.Make(source); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(source)) }()
		if !slices.ContainsFunc(t.Ways, func(w way) bool { return w.Job != nil && w.Job.From != lab }) {
			break // nothing begins at the other one
		}
	}
	wanted, err := sample.Digest(b.source(t))
	if err != nil {
		return nil, err
	}
	b.link.SetDelay(t.RoundTrip / 2)
	for _, w := range t.Ways {
		rows = append(rows, row{Way: w, Note: b.refusal(w)})
	}
	for round := range t.Rounds {
		for _, i := range rand.New(rand.NewPCG(1, uint64(round))).Perm(len(rows)) { // nobody always comes after the same one
			if err := b.once(ctx, t, &rows[i], wanted); err != nil {
				return nil, err
			}
			b.tell(t, round, rows[i])
		}
	}
	return rows, nil
}

// source is the folder at LAB, or its file if it has only one.
func (b *bench) source(t task) string { return filepath.Join(b.near, sourceName(t)) }

func sourceName(t task) string {
	if t.Set.Files() == 1 {
		return "from/part_1/session_001/take_000001.wav"
	}
	return "from"
}

// refusal says why a way can't run here, if so.
func (b *bench) refusal(w way) string {
	if w.Job != nil && b.ketter == nil {
		return "not asked for"
	}
	if _, err := exec.LookPath(w.Tool); w.Tool != "" && err != nil {
		return "not installed"
	}
	return ""
}

func (b *bench) tell(t task, round int, r row) {
	result := r.Note
	if result == "" {
		result = seconds(r.Times[len(r.Times)-1]) + " s"
	}
	fmt.Fprintf(b.progress, "%v, round %d of %d, %s: %s\n", t, round+1, t.Rounds, r.Way.Name, result)
}

// once runs a way into a new folder, compares, and removes what it made. Only what stops the whole run is an error.
func (b *bench) once(ctx context.Context, t task, r *row, wanted uint64) (err error) {
	if r.Note != "" {
		return nil
	}
	host := b.far
	if r.Way.Job != nil && r.Way.Job.To == lab {
		host = b.near
	}
	to, err := os.MkdirTemp(host, "to.")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(to)) }()
	before := b.link.Up.Load() + b.link.Down.Load()
	took, err := b.run(ctx, r.Way, t, to)
	r.Sent = b.link.Up.Load() + b.link.Down.Load() - before
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		fmt.Fprintf(b.progress, "%v\n", err)
		r.fail("failed")
		return nil
	}
	switch got, err := sample.Digest(filepath.Join(to, filepath.Base(sourceName(t)))); {
	case err != nil:
		r.fail("failed: its result can't be read")
	case got != wanted:
		r.fail("failed: its result differs from the source")
	default:
		r.Times = append(r.Times, took)
	}
	return nil
}

func (b *bench) run(ctx context.Context, w way, t task, to string) (time.Duration, error) {
	if w.Job == nil {
		return b.script(ctx, w.Script, b.source(t), to)
	}
	done, err := b.ketter.API.Run(ctx, bed.Order{
		SourcePortal: w.Job.From, Source: "/" + sourceName(t), DestinationPortal: w.Job.To, Destination: "/" + filepath.Base(to),
		Mode: "copy", Strategy: w.Job.Strategy, Verify: "checksum",
	})
	if err != nil {
		return 0, fmt.Errorf("%w\n%s", err, b.ketter.Told())
	}
	return done.Took()
}

// script runs to its end or that of ctx.
func (b *bench) script(ctx context.Context, script, source, to string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, "bash", "-o", "pipefail", "-c", script, "bench", source, to)
	cmd.Env = b.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that all of a pipe can be ended
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	begun := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%w: %s", err, strings.TrimSpace(output.String()))
	}
	return time.Since(begun), nil
}
