package client

import (
	"context"
	"net/http"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// Plan is what a job would do, and with what result, as seen by the API's process now.
type Plan struct {
	DryRun            bool               `json:"dry_run"`
	OK                bool               `json:"ok"` // Problems is empty
	Mode              transfer.Mode      `json:"mode"`
	SourcePath        string             `json:"source_path"`
	DestinationPath   string             `json:"destination_path"`
	SourcePortal      *string            `json:"source_portal"`
	DestinationPortal *string            `json:"destination_portal"`
	FinalPath         string             `json:"final_path"`
	Queue             string             `json:"queue"`
	Verify            transfer.Verify    `json:"verify"`
	RequestedStrategy transfer.Strategy  `json:"requested_strategy"`
	Strategy          *transfer.Strategy `json:"strategy"` // nil where the source can't be counted
	Method            *transfer.Method   `json:"method"`
	Reason            string             `json:"reason"`
	Files             int64              `json:"files"`
	Bytes             int64              `json:"bytes"`
	AvgSizeBytes      float64            `json:"avg_size_bytes"`
	NeededBytes       int64              `json:"needed_bytes"`
	FreeBytes         *int64             `json:"free_bytes"` // nil where the destination doesn't say
	Problems          []JobError         `json:"problems"`
	EstimatedSeconds  *float64           `json:"estimated_seconds"`
	EstimatedFromJobs int                `json:"estimated_from_jobs"`
}

// Plan asks what would become of an order. Nothing is recorded.
func (c *Client) Plan(ctx context.Context, order Order) (plan Plan, err error) {
	dry := struct {
		Order
		DryRun bool `json:"dry_run"`
	}{order, true}
	if err := c.send(ctx, http.MethodPost, "/jobs", "", dry, &plan); err != nil {
		return plan, err
	}
	if !plan.DryRun { // one that knows no dry_run would have refused it; this is somebody else
		return plan, c.noPlan()
	}
	return plan, nil
}

func (c *Client) noPlan() error {
	return &failure.Error{
		Code: Unreachable, Message: c.shown + " answers no plan, and may have made a job of it",
		Hint: "See whether there is one with `ketter jobs list`; `ketter jobs cancel ID` ends it.",
	}
}
