package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/planner"
	"github.com/ketter/ketter/engine/transfer"
)

type transferOptions struct {
	from, to, mode, strategy, verify string
	json, dryRun                     bool
}

func newTransferCommand() *cobra.Command {
	var options transferOptions
	cmd := &cobra.Command{
		Use:   "transfer --from SOURCE --to FOLDER --mode copy|move",
		Short: "Copy or move one file or folder now, without any service",
		Long: `Copies or moves SOURCE to FOLDER/<name of SOURCE>, with the engine alone: no database, no queue, no history.

The result appears under its final name only when it is complete, durable and verified. If that name exists already,
nothing is touched. A move removes the source only after that, and only what is proven and unchanged. When anything
fails before, the destination is left as it was found.

A transfer that was killed leaves a hidden folder (.ketter-….partial) in FOLDER. The same command goes on from there: it
reads and writes only what is not proven yet.

A folder of many small files is packed into one archive on the way (--strategy auto decides; the thresholds are
KETTER_ZIP_THRESHOLD_FILES and KETTER_ZIP_THRESHOLD_AVG_SIZE_BYTES).

With --dry-run nothing is written: it counts the source, looks at both sides as a transfer would before its first byte, says
what would be done, and all that would fail. Its exit status is that of the first problem.

` + exitStatuses(failure.Codes()...),
		Example: `  1. Copy a session, proven by checksums:
     ketter transfer --from /mnt/nexis/ep101 --to /mnt/quantum/backup --mode copy
  2. Move a camera card, comparing sizes only:
     ketter transfer --from /mnt/card/A001 --to /mnt/nexis/ingest --mode move --verify size
  3. Follow it from a script, one JSON object a line:
     ketter transfer --from ep101 --to /mnt/quantum --mode copy --json
  4. Before a big move: would it go well, and is there room?
     ketter transfer --from /mnt/card/A001 --to /mnt/nexis/ingest --mode move --dry-run`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runTransfer(cmd, options) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&options.from, "from", "", "the file or folder to transfer")
	flags.StringVar(&options.to, "to", "", "the folder that receives it; made when missing")
	flags.StringVar(&options.mode, "mode", "", "copy, or move (the source is removed at the end)")
	flags.StringVar(&options.strategy, "strategy", "auto", "auto, direct (file by file) or zip-first (as one archive)")
	flags.StringVar(&options.verify, "verify", "checksum", "checksum, size or none")
	flags.BoolVar(&options.dryRun, "dry-run", false, "only say what would be done, and what would fail")
	flags.BoolVar(&options.json, "json", false, "print JSON lines instead of text")
	return cmd
}

func (o transferOptions) spec() (transfer.Spec, error) {
	spec := transfer.Spec{
		Mode:     transfer.Mode(o.mode),
		Strategy: strategyOf(o.strategy),
		Verify:   transfer.Verify(o.verify),
	}
	wrong := wrongSpec(spec.Mode, spec.Strategy, spec.Verify)
	switch {
	case o.from == "":
		wrong = "--from is missing: name the file or folder to transfer"
	case o.to == "":
		wrong = "--to is missing: name the folder that receives it"
	}
	if wrong != "" {
		return spec, &failure.Error{Code: failure.InvalidRequest, Message: wrong, Hint: "See `ketter transfer --help`."}
	}
	var err error
	if spec.Source, err = filepath.Abs(o.from); err != nil {
		return spec, err
	}
	if spec.Destination, err = filepath.Abs(o.to); err != nil {
		return spec, err
	}
	spec.Run, err = newCLIRun(spec)
	spec.Alone = true
	return spec, err
}

// newCLIRun names a run of this user on this host. The same transfer has the same job number each time, so that a second
// invocation goes on with what one that was killed has left.
func newCLIRun(spec transfer.Spec) (transfer.Run, error) {
	host, err := os.Hostname()
	if err != nil {
		return transfer.Run{}, err
	}
	installation := sha256.Sum256(fmt.Appendf(nil, "%s/%d", host, os.Getuid()))
	job := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s", spec.Mode, spec.Source, spec.Destination))
	return transfer.Run{
		Installation: "cli" + hex.EncodeToString(installation[:4]),
		Job:          int64(binary.BigEndian.Uint64(job[:]) >> 1), Token: rand.Text(),
	}, nil
}

func runTransfer(cmd *cobra.Command, options transferOptions) error {
	spec, err := options.spec()
	if err != nil {
		return err
	}
	c, err := loadConfig()
	if err != nil {
		return err
	}
	if len(c.AllowedRoots) == 0 {
		c.AllowedRoots = []string{"/"} // the user's own rights are the limit
	}
	e, err := newEngine(c, nil)
	if err != nil {
		return err
	}
	if options.dryRun {
		return planTransfer(cmd, e, spec, options.json)
	}
	teller := newTeller(cmd.OutOrStdout(), cmd.ErrOrStderr(), options.json)
	result, plan, err := transferNow(cmd.Context(), e, spec, teller)
	if err != nil && plan.Strategy != "" { // else nothing was begun, and what an earlier run has left may be of use yet
		err = errors.Join(err, e.Discard(context.WithoutCancel(cmd.Context()), spec))
	}
	if err != nil {
		return teller.failed(failure.From(err))
	}
	return teller.finished(spec, plan, result)
}

func transferNow(ctx context.Context, e *engine.Engine, spec transfer.Spec, teller *teller) (transfer.Result, planner.Plan, error) {
	plan, err := e.Plan(ctx, spec)
	if err != nil {
		return transfer.Result{}, plan, err
	}
	if err := teller.Event(ctx, plan.Event()); err != nil {
		return transfer.Result{}, plan, err
	}
	run := e.RunTransfer
	if plan.Strategy == transfer.ZipFirst {
		run = e.RunTransferZipFirst
	}
	result, err := run(ctx, plan, teller)
	if err != nil {
		return result, plan, err
	}
	return result, plan, e.CleanUp(context.WithoutCancel(ctx), spec)
}
