package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/lab"
)

type calibrateOptions struct {
	labFlags
	source, destination string
	store               bool
}

func newCalibrateCommand() *cobra.Command {
	var options calibrateOptions
	cmd := &cobra.Command{
		Use:   "calibrate --source DIR|PORTAL[:PATH] --destination DIR|PORTAL[:PATH]",
		Short: "Find the zip thresholds that suit two volumes, and store them in a portal",
		Long: `Copies data sets from one side to the other by jobs, in turn by DIRECT and ZIP_FIRST, and recommends KETTER_ZIP_THRESHOLD_FILES
and KETTER_ZIP_THRESHOLD_AVG_SIZE_BYTES: those under which AUTO is never far behind the better strategy. It may recommend never to pack, and
says why. ` + "`ketter lab run`" + ` measures more and writes a report.

With --store the thresholds become those of the destination's portal, or of the source's if the destination is a plain folder (where both
have some, the destination's count). Then AUTO is measured beside both strategies. To take them back:
ketter portals set NAME --zip-threshold-files -1 --zip-threshold-avg-size-bytes -1

The source must be a folder of this host, or a local portal whose folder is here; what is sent lies in a folder ketter_lab-RANDOM at
either side and is removed, from a portal on another host by moving it back.

` + exitStatuses(failure.InvalidRequest, failure.DestinationFull, failure.PathNotAllowed, failure.PortalNotFound, failure.Cancelled) +
			"   1  a copy failed or differs from its source; api_unreachable",
		Example: `  1. What suits these two volumes?
     ketter calibrate --source /mnt/nexis --destination /mnt/quantum
  2. From a folder here to another host, and have its portal keep it:
     ketter calibrate --source /mnt/nexis --destination SRVTRF:/in --store`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return options.run(cmd) },
	}
	options.register(cmd, "1GiB", "512MiB", "100,1000x64KiB,1MiB,4MiB", "1GiB")
	cmd.Flags().StringVar(&options.source, "source", "", "a folder of this host, or a local portal and a path in it (required)")
	cmd.Flags().StringVar(&options.destination, "destination", "", "a folder of this host, or any portal and a path in it (required)")
	cmd.Flags().BoolVar(&options.store, "store", false, "store the thresholds in the portal, and measure AUTO under them")
	return cmd
}

func (o *calibrateOptions) run(cmd *cobra.Command) error {
	if o.source == "" || o.destination == "" {
		return usageError(cmd, errors.New("--source and --destination are both needed"))
	}
	if o.store && o.quick {
		return usageError(cmd, errors.New("--store doesn't go with --quick: what so small data sets tell is not worth keeping"))
	}
	asked, err := newClient(o.api)
	if err != nil {
		return err
	}
	labs, err := o.options(cmd)
	if err != nil {
		return err
	}
	if labs.Source, err = sideOf(cmd.Context(), asked, o.source); err != nil {
		return err
	}
	if labs.Destination, err = sideOf(cmd.Context(), asked, o.destination); err != nil {
		return err
	}
	portal := ""
	if o.store {
		if portal = whose(labs); portal == "" {
			return usageError(cmd, errors.New("--store needs a portal at one side; for plain folders thresholds are in the workers' environment"))
		}
	}
	report, err := lab.Calibrate(cmd.Context(), asked, labs, portal)
	return errors.Join(printCalibration(cmd.OutOrStdout(), report), err)
}

// whose portal's thresholds count.
func whose(o lab.Options) string {
	if o.Destination.Portal != "" {
		return o.Destination.Portal
	}
	return o.Source.Portal
}

// isHere says whether a portal's folder can be one of this host's.
func isHere(p client.Portal, folder string) bool {
	info, err := os.Stat(folder)
	return p.Kind == transfer.LocalPortal && err == nil && info.IsDir()
}

func printCalibration(out io.Writer, report lab.Report) error {
	if !report.Complete() {
		return nil // the error says why
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DATA SET\tDIRECT s\tZIP_FIRST s\tFASTER\tRECOMMENDED")
	for _, c := range report.Cells {
		faster := string(c.Better())
		if c.Better() == transfer.Auto {
			faster = "no difference"
		}
		direct, zip := c.Medians()
		fmt.Fprintf(table, "%s\t%.3f\t%.3f\t%s\t%s\n", c.Title, direct, zip, faster, report.Recommendation.Strategy(c.Files, c.Bytes))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	r := report.Recommendation
	fmt.Fprintf(out, "\n%s\n\n%s", r.Why, r.Environment())
	return printVerified(out, report)
}

func printVerified(out io.Writer, report lab.Report) error {
	if report.Stored != "" {
		fmt.Fprintf(out, "\nStored in portal %s.\n", report.Stored)
	}
	for _, v := range report.Verified {
		fmt.Fprintf(out, "%s: AUTO is %s and took %.2f times as long as the better strategy (%s)\n", v.Title, v.Strategy, v.Times(), v.Remark())
	}
	if n := report.Failures(); n > 0 {
		for _, e := range report.Expectations {
			if e.Verdict == lab.Failed {
				fmt.Fprintf(out, "FAILED: %s: %s\n", e.What, printable(e.Detail))
			}
		}
		return &exitError{status: 1}
	}
	return nil
}
