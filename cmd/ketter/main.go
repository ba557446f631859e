// Command ketter moves folders between storages, as a service (up, serve, worker) or at once (transfer). This package
// wires the others together; it decides nothing about a transfer.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine/failure"
)

// version is set by the build.
var version = "dev"

func main() {
	// The first signal asks for an orderly end; once it came, the second has its usual effect.
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup does
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	context.AfterFunc(ctx, stop)
	status := execute(ctx, newRootCommand())
	stop()
	os.Exit(status)
}

// execute runs what was typed and returns the exit status. A failure is told as the command was asked to tell things.
func execute(ctx context.Context, root *cobra.Command) int {
	cmd, err := root.ExecuteContextC(ctx)
	if asJSON, _ := cmd.Flags().GetBool("json"); asJSON { // most have no such flag
		return reportJSON(cmd.OutOrStdout(), err)
	}
	return report(cmd.ErrOrStderr(), err)
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "ketter",
		Short: "Move sessions, camera files and mixes between storages, proven and never by halves",
		Long: `Ketter copies and moves folders between storages. It packs folders of many small files, proves with checksums that
what arrived is what left, and shows the result under its final name only when it is complete. It never overwrites.

Start with ` + "`ketter up`" + ` (everything in one process), or move one folder at once with ` + "`ketter transfer`.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError(cmd, err)
	})
	// Without a command of its own cobra would answer an unknown one with a bare error.
	root.Args = noArguments
	root.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	root.AddCommand(newUpCommand(), newServeCommand(), newWorkerCommand(), newMigrateCommand(), newTransferCommand(),
		newJobsCommand(), newStatsCommand(), newPortalsCommand(), newSecretKeyCommand(), newTokensCommand(), newDKUCommand(), newLabCommand(), newCalibrateCommand(),
		newHealthCommand(), newConfigCommand(),
		newAgentCommand(), newVersionCommand(), newManCommand())
	return root
}

// noArguments is cobra.NoArgs with an error that says what to do.
func noArguments(cmd *cobra.Command, args []string) error {
	if err := cobra.NoArgs(cmd, args); err != nil {
		return usageError(cmd, err)
	}
	return nil
}

func usageError(cmd *cobra.Command, err error) error {
	return &failure.Error{
		Code: failure.InvalidRequest, Message: err.Error(), Hint: fmt.Sprintf("See `%s --help`.", cmd.CommandPath()),
	}
}

// report tells of a failure and returns the exit status that fits it.
func report(w io.Writer, err error) int {
	if err == nil {
		return 0
	}
	var said *exitError
	if errors.As(err, &said) {
		return said.status
	}
	var f *failure.Error
	if !errors.As(err, &f) {
		if errors.Is(err, context.Canceled) {
			f = failure.From(err)
		} else {
			fmt.Fprintln(w, "ketter:", printableLines(err.Error()))
			return failure.Internal.ExitStatus()
		}
	}
	fmt.Fprintf(w, "ketter: %s\n  code: %s\n", printable(f.Sentence()), printable(string(f.Code)))
	if hint := f.Advice(); hint != "" {
		fmt.Fprintf(w, "  hint: %s\n", printable(hint))
	}
	return f.Code.ExitStatus()
}

// reportJSON is report for a program.
func reportJSON(w io.Writer, err error) int {
	if err == nil {
		return 0
	}
	var said *exitError
	if errors.As(err, &said) {
		return said.status
	}
	f, told := failure.From(err), fields{"code": failure.Internal, "message": err.Error(), "path": "", "hint": ""}
	var known *failure.Error
	if errors.As(err, &known) || f.Code == failure.Cancelled {
		told = errorFields(f)
	}
	_ = jsonLine(w, "error", told) // whoever went away has the exit status
	return f.Code.ExitStatus()
}

// exitError ends the process with a status after everything was said already.
type exitError struct{ status int }

func (e *exitError) Error() string { return fmt.Sprintf("exit status %d", e.status) }

// exitStatuses is the EXIT STATUS section of a command's help, made of the failure codes' table.
func exitStatuses(codes ...failure.Code) string {
	slices.SortFunc(codes, func(a, b failure.Code) int { return a.ExitStatus() - b.ExitStatus() })
	var b strings.Builder
	b.WriteString("EXIT STATUS\n   0  success\n")
	for _, code := range codes {
		fmt.Fprintf(&b, "  %2d  %s\n", code.ExitStatus(), code)
	}
	return b.String()
}
