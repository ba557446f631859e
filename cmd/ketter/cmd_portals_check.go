package main

import (
	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/httpapi/client"
)

func newPortalsTestCommand(options *portalOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "test PORTAL",
		Short: "Reach for a portal as a job would",
		Long: `Has the API reach for a portal as a job would, and says what it found: whether the host answers, is the one on record, lets the
user in, and has the folder; how far away it is and what helps are there.

` + portalExitStatuses(failure.PortalUnreachable, failure.PortalAuthFailed, failure.HostKeyMismatch),
		Example: `  1. Is SRVTRF as it should be?
     ketter portals test SRVTRF`,
		Args:              onePortal,
		ValidArgsFunction: completeOnePortal(options),
		RunE: func(cmd *cobra.Command, args []string) error {
			asked, err := newClient(options.api)
			if err != nil {
				return err
			}
			report, err := asked.TestPortal(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if options.json {
				err = printJSON(cmd.OutOrStdout(), report)
			} else {
				err = printReport(cmd.OutOrStdout(), report)
			}
			if err != nil {
				return err
			}
			return verdict(report)
		},
	}
}

// verdict is what the first check that failed says, for the exit status: everything was said already.
func verdict(report client.PortalReport) error {
	for _, check := range report.Checks {
		if !check.OK {
			return &exitError{status: check.Code.ExitStatus()}
		}
	}
	if !report.OK {
		return &exitError{status: failure.Internal.ExitStatus()}
	}
	return nil
}
