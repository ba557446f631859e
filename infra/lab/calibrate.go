package lab

import (
	"context"
	"fmt"

	"github.com/ketter/ketter/httpapi/client"
)

// Calibrate measures copies alone, by both strategies, and recommends thresholds. With the name of a portal it stores them there
// and then measures AUTO beside both strategies.
func Calibrate(ctx context.Context, api *client.Client, o Options, store string) (Report, error) {
	l, err := open(ctx, api, &o)
	if l == nil {
		return Report{}, err
	}
	if err == nil {
		l.describe(ctx)
		err = l.calibrate(ctx, store)
	}
	return l.report, l.end(ctx, err)
}

func (l *lab) calibrate(ctx context.Context, store string) error {
	for _, d := range l.datasets() {
		if err := l.compare(ctx, d, copies, false); err != nil {
			return err
		}
	}
	if l.recommend(); l.report.Recommendation == nil {
		return refusal("No data set was copied by both strategies, so nothing can be recommended; the lines above say why.")
	}
	l.report.complete = true
	if store == "" {
		return nil
	}
	if n := l.report.Failures(); n > 0 {
		return refusal("Nothing was stored in portal %s: %d copies were not what they should be, so the figures mean nothing.", store, n)
	}
	if err := l.store(ctx, store); err != nil {
		return err
	}
	return l.verify(ctx, l.destination)
}

// store changes the portal's thresholds and leaves all else as it is: its credential too, for that isn't sent.
func (l *lab) store(ctx context.Context, name string) error {
	portal, err := l.api.Portal(ctx, name)
	if err != nil {
		return err
	}
	fields, r := portal.Fields(), l.report.Recommendation
	fields["zip_threshold_files"], fields["zip_threshold_avg_size_bytes"] = r.Files, r.AvgSize
	if _, err := l.api.ChangePortal(ctx, name, fields); err != nil {
		return fmt.Errorf("storing the thresholds in portal %s: %w", name, err)
	}
	l.report.Stored = name
	l.say("Stored in portal %s: more than %d files of less than %d bytes.", name, r.Files, r.AvgSize)
	return nil
}
