package main

import (
	"github.com/spf13/cobra"

	"github.com/ketter/ketter/httpapi/client"
)

// plan says what would become of the order.
func (o *jobsCreateOptions) plan(cmd *cobra.Command, asked *client.Client, order client.Order) error {
	plan, err := asked.Plan(cmd.Context(), order)
	if err != nil {
		return err
	}
	if o.json {
		err = printJSON(cmd.OutOrStdout(), plan)
	} else {
		err = printPlan(cmd.OutOrStdout(), plan, "recorded")
	}
	if err != nil {
		return err
	}
	return planEnd(plan)
}
