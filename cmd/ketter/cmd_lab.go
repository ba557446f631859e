package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/lab"
)

func newLabCommand() *cobra.Command {
	labs := &cobra.Command{
		Use:   "lab",
		Short: "Prove and measure a running Ketter between two of your volumes",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	labs.AddCommand(newLabRunCommand())
	return labs
}

type labRunOptions struct {
	labFlags
	sourceRoot, destinationRoot, readOnlyRoot, smallRoot, reportDir string
	only                                                            []string
}

func newLabRunCommand() *cobra.Command {
	var options labRunOptions
	cmd := &cobra.Command{
		Use:   "run --source-root DIR --destination-root DIR",
		Short: "Run the labs, and write what they found",
		Long: `Makes data sets below --source-root, has them copied and moved to --destination-root by jobs of the Ketter that the API belongs
to, in turn by DIRECT and ZIP_FIRST and in several rounds, and compares every result with its source. Provokes the errors that must
be refused. Then it recommends zip thresholds for these two volumes, tries AUTO under them, and writes all of it to
--report-dir as Markdown and JSON, under a name of time and host.

It must run on the worker's host, as the worker's user, with both folders below KETTER_ALLOWED_ROOTS. All it makes lies in
a folder ketter_lab-RANDOM in either of them, and in a portal of that name; Ctrl-C cancels the job that runs, and removes them.
Before each run it syncs, and as root on Linux drops the machine's caches (--keep-caches doesn't). The default sizes need
34 GiB at the destination and hours on a slow storage; a lack of room is told before anything is made.

The labs: ` + strings.Join(lab.Names(), ", ") + `.

` + exitStatuses(failure.InvalidRequest, failure.DestinationFull, failure.PathNotAllowed, failure.Cancelled) +
			"   1  an expectation failed, which the report names; api_unreachable",
		Example: `  1. See that it works, in a minute:
     ketter lab run --source-root /mnt/nexis --destination-root /mnt/quantum --quick
  2. All of it, with a folder that is mounted read-only and a small volume for two of the errors:
     ketter lab run --source-root /mnt/nexis --destination-root /mnt/quantum --read-only-root /mnt/archive --small-root /mnt/tiny
  3. Only what the thresholds rest on:
     ketter lab run --source-root /mnt/nexis --destination-root /mnt/quantum --only small,mix,sweep,auto --rounds 5`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return options.run(cmd) },
	}
	options.register(cmd, "5GiB", "2GiB", "50,100,500,1000x1MiB,4MiB,16MiB", "16GiB")
	flags := cmd.Flags()
	flags.StringVar(&options.sourceRoot, "source-root", "", "a folder on the volume that is read (required)")
	flags.StringVar(&options.destinationRoot, "destination-root", "", "a folder on the volume that is written (required)")
	flags.StringVar(&options.readOnlyRoot, "read-only-root", "", "a folder that is mounted read-only, below the allowed roots")
	flags.StringVar(&options.smallRoot, "small-root", "", "a folder on a volume with 1 GiB free at most, below the allowed roots: it is filled for a moment")
	flags.StringVar(&options.reportDir, "report-dir", "docs/labs", "where the report goes; made if it is missing")
	flags.StringSliceVar(&options.only, "only", nil, "names of labs, separated by ,")
	return cmd
}

func (o *labRunOptions) run(cmd *cobra.Command) error {
	if o.sourceRoot == "" || o.destinationRoot == "" {
		return usageError(cmd, errors.New("--source-root and --destination-root are both needed"))
	}
	asked, err := newClient(o.api)
	if err != nil {
		return err
	}
	labs, err := o.options(cmd)
	if err != nil {
		return err
	}
	for _, folder := range []*string{&o.sourceRoot, &o.destinationRoot, &o.readOnlyRoot, &o.smallRoot} {
		if *folder == "" {
			continue
		}
		if *folder, err = filepath.Abs(*folder); err != nil {
			return err
		}
	}
	labs.Source, labs.Destination = lab.Side{Path: o.sourceRoot, Here: o.sourceRoot}, lab.Side{Path: o.destinationRoot, Here: o.destinationRoot}
	labs.ReadOnlyRoot, labs.SmallRoot, labs.Only = o.readOnlyRoot, o.smallRoot, o.only
	return runLabs(cmd, asked, labs, o.reportDir)
}

func runLabs(cmd *cobra.Command, asked *client.Client, labs lab.Options, reportDir string) error {
	if err := lab.PrepareReports(reportDir); err != nil { // hours before it is needed
		return err
	}
	report, err := lab.Run(cmd.Context(), asked, labs)
	if !report.Complete() {
		return err
	}
	if r := report.Recommendation; r != nil {
		fmt.Fprintf(cmd.OutOrStdout(), "%s\n\n%s\n", r.Why, r.Environment())
	}
	written, writeErr := report.Write(reportDir)
	if err := errors.Join(err, writeErr); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "The report is %s\n", printable(written))
	if n := report.Failures(); n > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "Expectations that failed: %d; the report names them.\n", n)
		return &exitError{status: 1}
	}
	return nil
}

// sideOf reads a folder of this host, or PORTAL[:path]. A local portal whose root is here is seen here, too; the first job of the
// labs finds out whether that is the same folder.
func sideOf(ctx context.Context, asked *client.Client, text string) (lab.Side, error) {
	name, inside, err := placeOfArgument(text)
	if err != nil || name == "" {
		return lab.Side{Path: inside, Here: inside}, err
	}
	portal, err := asked.Portal(ctx, name)
	if err != nil {
		return lab.Side{}, err
	}
	side := lab.Side{Portal: portal.Name, Path: filepath.Join("/", inside)}
	if here := filepath.Join(portal.RootPath, side.Path); isHere(portal, here) {
		side.Here = here
	}
	return side, nil
}
