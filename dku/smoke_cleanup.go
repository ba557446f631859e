package dku

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/ketter/ketter/httpapi/client"
)

// note keeps in mind which jobs must be cancelled at the end.
func (s *smoke) note(id int64, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posted = slices.DeleteFunc(s.posted, func(other int64) bool { return other == id })
	if !ended {
		s.posted = append(s.posted, id)
	}
}

// cleanUp cancels jobs that have not ended, then removes the folder. It runs whatever has happened.
func (s *smoke) cleanUp(ctx context.Context) Finding {
	s.mu.Lock()
	folder, posted := s.folder, slices.Clone(s.posted)
	s.mu.Unlock()
	if folder == "" {
		return ok("Nothing was made, nothing is left.")
	}
	running := s.cancelAll(ctx, posted)
	left, err := leftovers(folder)
	if removing := os.RemoveAll(folder); removing != nil {
		err = removing
	}
	switch {
	case err != nil:
		return fail("Not all could be removed: "+err.Error(), "Remove it by hand: "+folder)
	case len(running) > 0:
		return fail(fmt.Sprintf("%s removed, but these jobs would not be cancelled: %s.", folder, strings.Join(running, "; ")),
			"Cancel them: `ketter jobs cancel ID`. They fail for want of their source.")
	case len(left) > 0 && len(posted) == 0:
		return warn("Removed, but jobs that had ended had left something: "+strings.Join(left, ", "), "Report this: a job leaves no staging folder.")
	}
	return ok("All that was made is removed; the jobs stay in the history.")
}

// cancelAll returns what became of jobs that did not end.
func (s *smoke) cancelAll(ctx context.Context, posted []int64) (running []string) {
	ctx, cancel := context.WithTimeout(ctx, endingTime)
	defer cancel()
	for _, id := range posted {
		job, err := s.probe.api.Cancel(ctx, id)
		if err == nil {
			_, err = s.await(ctx, job)
		}
		if err != nil {
			running = append(running, fmt.Sprintf("%d (%s)", id, sentence(err)))
		}
	}
	return running
}

// said is why a job did not succeed.
func said(job client.Job) string {
	if job.Error == nil {
		return "it gives no reason"
	}
	return fmt.Sprintf("%s (%s)", job.Error.Message, job.Error.Code)
}

func hint(job client.Job) string {
	otherwise := fmt.Sprintf("See GET /jobs/%d/detail, and the worker's log. Does the worker's host see this folder? If not, run the DKU there.", job.ID)
	if job.Error == nil {
		return otherwise
	}
	return orElse(job.Error.Hint, otherwise)
}

func duration(job client.Job) float64 {
	if job.DurationSeconds == nil {
		return 0
	}
	return *job.DurationSeconds
}
