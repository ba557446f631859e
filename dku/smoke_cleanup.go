package dku

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
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

// submit notes the order before it sends it: a job whose answer is lost must be cancelled too.
func (s *smoke) submit(ctx context.Context, order client.Order) (client.Job, error) {
	s.mu.Lock()
	s.unheard = append(s.unheard, order)
	s.mu.Unlock()
	job, err := s.probe.api.Submit(ctx, order)
	if err == nil || client.Refused(err) {
		s.heard(order)
	}
	if err == nil {
		s.note(job.ID, false)
	}
	return job, err
}

func (s *smoke) heard(order client.Order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unheard = slices.DeleteFunc(s.unheard, func(other client.Order) bool { return other.IdempotencyKey == order.IdempotencyKey })
}

// hear asks again for the jobs whose answer has not come, under the same keys: so no job is made that there was already.
func (s *smoke) hear(ctx context.Context) (unknown []string) {
	s.mu.Lock()
	unheard := slices.Clone(s.unheard)
	s.mu.Unlock()
	for _, order := range unheard {
		if _, err := s.submit(ctx, order); err != nil && !client.Refused(err) {
			unknown = append(unknown, fmt.Sprintf("one from %s, if it was taken (%s)", order.SourcePath, sentence(err)))
		}
	}
	return unknown
}

// cleanUp cancels jobs that have not ended, then removes the folders. It runs whatever has happened.
func (s *smoke) cleanUp(ctx context.Context) Finding {
	s.mu.Lock()
	folders, made, ended := slices.Clone(s.folders), s.made, len(s.posted)+len(s.unheard) == 0
	s.mu.Unlock()
	if len(folders) == 0 {
		return ok("Nothing was made, nothing is left.")
	}
	running := s.cancelAll(ctx)
	left, err := within(ctx, func() ([]string, error) { return removeMade(ctx, folders, made) })
	names := strings.Join(folders, ", ")
	switch {
	case ctx.Err() != nil:
		return fail("Not all could be removed in time: "+names, "When the storage answers again, remove what is left by hand: "+names)
	case err != nil:
		return fail("Not all could be removed: "+err.Error(), "Remove it by hand: "+names)
	case len(running) > 0:
		return fail(fmt.Sprintf("%s removed, but these jobs would not be cancelled: %s.", names, strings.Join(running, "; ")),
			"Cancel them: `ketter jobs cancel ID`. They fail for want of their source.")
	case len(left) > 0 && ended:
		return warn("Removed, but jobs that had ended had left something: "+strings.Join(left, ", "), "Report this: a job leaves no staging folder.")
	}
	return ok("All that was made is removed; the jobs stay in the history.")
}

// removeMade waits for who still makes the folders, so that nothing comes back. It returns what jobs had left in them.
func removeMade(ctx context.Context, folders []string, made <-chan struct{}) (left []string, err error) {
	<-made
	left, err = settled(ctx, folders)
	for _, folder := range folders {
		err = errors.Join(err, removeTrees(ctx, folder))
	}
	return left, err
}

// removeTrees removes a folder; the trees in it side by side, as they were made. It follows no link: the allowed root may be
// anybody's to write to.
func removeTrees(ctx context.Context, folder string) error {
	top, err := openRoot(filepath.Dir(folder))
	if err != nil {
		return err
	}
	defer top.Close()
	name := filepath.Base(folder)
	for _, side := range []string{"from", "to"} {
		removeBeside(ctx, top, name, side)
	}
	return tree.RemoveAll(ctx, top, name) // what stays is met once more, and then is an error
}

// removeBeside removes what is in a folder, all at once.
func removeBeside(ctx context.Context, dir endpoint.Dir, path ...string) {
	if len(path) > 0 {
		if below, err := dir.OpenDir(path[0]); err == nil {
			defer below.Close()
			removeBeside(ctx, below, path[1:]...)
		}
		return
	}
	var names []string
	_ = dir.List(func(entry endpoint.Entry) error { names = append(names, entry.Name); return nil })
	var removing sync.WaitGroup
	for _, name := range names {
		removing.Go(func() { _ = tree.RemoveAll(ctx, dir, name) })
	}
	removing.Wait()
}

// settled are the leftovers that stay: a run removes its staging after its end is recorded. Time to remove all is kept.
func settled(ctx context.Context, folders []string) (left []string, err error) {
	ticker := time.NewTicker(pollJob)
	defer ticker.Stop()
	for {
		left, err = leftovers(folders)
		if deadline, bounded := ctx.Deadline(); len(left) == 0 || err != nil || !bounded || time.Until(deadline) < patient {
			return left, err
		}
		<-ticker.C
	}
}

// cancelAll returns what became of jobs that did not end.
func (s *smoke) cancelAll(ctx context.Context) (running []string) {
	ctx, cancel := context.WithTimeout(ctx, endingTime)
	defer cancel()
	running = s.hear(ctx)
	s.mu.Lock()
	posted := slices.Clone(s.posted)
	s.mu.Unlock()
	errs := make([]error, len(posted))
	jobs := make([]client.Job, len(posted))
	for i, id := range posted {
		jobs[i], errs[i] = s.probe.api.Cancel(ctx, id)
	}
	for i, id := range posted {
		if errs[i] == nil && !jobs[i].Status.Final() {
			_, errs[i] = s.await(ctx, id)
		}
		if errs[i] != nil {
			running = append(running, fmt.Sprintf("%d (%s)", id, sentence(errs[i])))
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
