package main

import (
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
)

// planTransfer says what a transfer would do.
func planTransfer(cmd *cobra.Command, e *engine.Engine, spec transfer.Spec, asJSON bool) error {
	outlook, err := e.Outlook(cmd.Context(), spec)
	if err != nil {
		return failure.From(err)
	}
	plan, err := transferPlan(spec, outlook)
	if err != nil {
		return err
	}
	if asJSON {
		err = printPlanLine(cmd.OutOrStdout(), plan)
	} else {
		err = printPlan(cmd.OutOrStdout(), plan, "changed")
	}
	if err != nil {
		return err
	}
	return planEnd(plan)
}

// transferPlan is the API's plan as a client of it would be told: the types of both are made of one contract.
func transferPlan(spec transfer.Spec, outlook engine.Outlook) (plan client.Plan, err error) {
	told, err := json.Marshal(newPlan(spec, outlook))
	if err == nil {
		err = json.Unmarshal(told, &plan)
	}
	return plan, err
}

// printPlanLine prints the API's plan, without a queue, for there is none.
func printPlanLine(out io.Writer, plan client.Plan) error {
	return printLine(out, struct {
		MessageType string `json:"message_type"`
		client.Plan
		Queue string `json:"queue,omitempty"`
	}{MessageType: "plan", Plan: plan})
}
