package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
)

// jobFilters are flags that say which jobs are meant. Those that a command doesn't register stay empty.
type jobFilters struct {
	status, mode, strategy, code, portal, since, until string
	before                                             int64
}

func (f *jobFilters) addGroupFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.mode, "mode", "", "only copy or move")
	flags.StringVar(&f.strategy, "strategy", "", "only direct or zip-first, as it was decided")
	flags.StringVar(&f.portal, "portal", "", "only jobs from or to this portal, by its name or id")
	flags.StringVar(&f.since, "since", "", "submitted since: 24h or 7d ago, 2026-05-04 (from midnight), or 2026-05-04T12:00:00Z")
	flags.StringVar(&f.until, "until", "", "submitted before: as --since")
}

func (f *jobFilters) addFlags(cmd *cobra.Command) {
	f.addGroupFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.status, "status", "", "only pending, running, success, failed or cancelled")
	flags.StringVar(&f.code, "code", "", "only jobs that failed with this code, as destination_exists")
	flags.Int64Var(&f.before, "before", 0, "only jobs with a smaller id: the next page")
}

// params are the filters as the API takes them.
func (f *jobFilters) params(now time.Time) (given client.ListJobsParams, err error) {
	if wrong := f.wrong(); wrong != "" {
		return given, errors.New(wrong)
	}
	given = client.ListJobsParams{
		Status: ifGiven(transfer.Status(f.status)), Mode: ifGiven(transfer.Mode(f.mode)), Strategy: ifGiven(strategyOf(f.strategy)),
		Code: ifGiven(failure.Code(f.code)), Portal: ifGiven(f.portal), Before: ifGiven(f.before),
	}
	for _, flag := range []struct {
		name, text string
		moment     **time.Time
	}{{"since", f.since, &given.Since}, {"until", f.until, &given.Until}} {
		if flag.text == "" {
			continue
		}
		moment, err := momentOf(flag.text, now)
		if err != nil {
			return given, fmt.Errorf("--%s %w", flag.name, err)
		}
		*flag.moment = new(moment.UTC().Truncate(time.Second))
	}
	return given, nil
}

// groupParams are those that groups of jobs have as well.
func (f *jobFilters) groupParams(now time.Time) (client.GetJobsSummaryParams, error) {
	given, err := f.params(now)
	return client.GetJobsSummaryParams{Since: given.Since, Until: given.Until, Mode: given.Mode, Strategy: given.Strategy, Portal: given.Portal}, err
}

// ifGiven is nil for a flag that was left empty.
func ifGiven[T comparable](value T) *T {
	var empty T
	if value == empty {
		return nil
	}
	return &value
}

func (f *jobFilters) wrong() string {
	switch {
	case f.status != "" && !transfer.Status(f.status).Valid():
		return fmt.Sprintf("--status must be %s, not %q", alternatives(words(transfer.Statuses())), f.status)
	case f.mode != "" && !transfer.Mode(f.mode).Valid():
		return fmt.Sprintf("--mode must be copy or move, not %q", f.mode)
	case f.strategy != "" && !strategyOf(f.strategy).Decided():
		return fmt.Sprintf("--strategy must be direct or zip-first, not %q", f.strategy)
	case f.code != "" && !slices.Contains(failure.Codes(), failure.Code(f.code)):
		return fmt.Sprintf("--code must be a failure's code, as destination_exists, not %q; docs/troubleshooting.md has a section for each", f.code)
	case f.before < 0:
		return "--before must be a job's id"
	}
	return ""
}

// momentOf reads a time, a day (its first moment, here), or how long ago.
func momentOf(text string, now time.Time) (time.Time, error) {
	if moment, err := time.Parse(time.RFC3339, text); err == nil {
		return moment, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, text, now.Location()); err == nil {
		return day, nil
	}
	if count, is := strings.CutSuffix(text, "d"); is {
		if days, err := strconv.ParseUint(count, 10, 16); err == nil {
			return now.AddDate(0, 0, -int(days)), nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	return time.Time{}, fmt.Errorf("must be a time ago (24h, 7d), a day (2026-05-04) or a time (2026-05-04T12:00:00Z), not %q", text)
}

func words[T ~string](values []T) []string {
	all := make([]string, len(values))
	for i, value := range values {
		all[i] = string(value)
	}
	return all
}

func alternatives(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
