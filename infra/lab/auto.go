package lab

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
)

// brief are the thresholds of the brief's labs.
var brief = Thresholds{Files: 100, AvgSize: 4 << 20}

// enoughTimes is how many times as long as the better strategy AUTO may take.
const enoughTimes = 1.1

// Verification is AUTO beside both strategies, in the same rounds.
type Verification struct {
	Cell
	Strategy transfer.Strategy `json:"strategy"` // what AUTO decided
	Auto     []float64         `json:"auto_seconds"`
}

// Times is how many times as long as the better strategy AUTO took, by medians.
func (v Verification) Times() float64 { return median(v.Auto) / min(median(v.Direct), median(v.Zip)) }

// Enough says whether that is little enough.
func (v Verification) Enough() bool { return v.Times() <= enoughTimes }

// under is the destination as a portal of the labs' own, which has these thresholds: so nobody else's jobs are decided by them.
func (l *lab) under(ctx context.Context, t Thresholds) (Side, error) {
	name := path.Base(l.destination.Path)
	fields := client.PortalFields{"name": name, "kind": transfer.LocalPortal, "root_path": l.destination.Path,
		"zip_threshold_files": t.Files, "zip_threshold_avg_size_bytes": t.AvgSize}
	var err error
	if l.portal == "" {
		_, err = l.api.AddPortal(ctx, fields)
	} else {
		_, err = l.api.ChangePortal(ctx, name, fields)
	}
	if err != nil {
		return Side{}, fmt.Errorf("making the labs' portal: %w", err)
	}
	l.portal = name
	return Side{Portal: name, Path: "/", Here: l.destination.Here}, nil
}

// decideByBrief has the planner decide under the brief's thresholds, a copy and a move.
func (l *lab) decideByBrief(ctx context.Context, m *made) error {
	to, err := l.under(ctx, brief)
	if err != nil {
		return err
	}
	wanted := brief.Strategy(m.files, m.bytes)
	for _, w := range autos {
		job, problem, err := l.once(ctx, m, w, to, wanted)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("%s: a %s under %d files and 4 MiB is %s", m.set, w, brief.Files, wanted)
		l.expect(m.lab, what, problem)
		l.say("%s: job %d: %s", what, job.ID, verdictOf(problem))
	}
	return nil
}

func (l *lab) recommend() {
	if len(l.report.Cells) > 0 && l.report.Recommendation == nil {
		r := Recommend(l.report.Cells)
		l.report.Recommendation = &r
	}
}

// runAuto tries on the labs' data sets what the figures recommend.
func (l *lab) runAuto(ctx context.Context) error {
	l.recommend()
	if l.report.Recommendation == nil {
		l.leave("auto", "AUTO beside both strategies", "there are no figures to recommend thresholds by; run other labs too, as small and sweep")
		return nil
	}
	to, err := l.under(ctx, l.report.Recommendation.Thresholds)
	if err != nil {
		return err
	}
	return l.verify(ctx, to)
}

// verify measures AUTO beside both strategies.
func (l *lab) verify(ctx context.Context, to Side) error {
	for _, d := range []dataset{l.small(), l.big(), l.mix()} {
		m, err := l.make(ctx, d)
		if err == nil {
			d.lab, m.lab = "auto", "auto"
			err = l.verifyOne(ctx, m, to)
		}
		if err = errors.Join(err, l.remove(m.side)); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) verifyOne(ctx context.Context, m *made, to Side) error {
	decided := l.report.Recommendation.Strategy(m.files, m.bytes)
	series, err := l.measure(ctx, m, []way{copies[0], copies[1], autos[0]}, to, func(w way) transfer.Strategy {
		if w.Strategy == transfer.Auto {
			return decided
		}
		return w.Strategy
	})
	if err != nil {
		return err
	}
	v := Verification{Strategy: decided, Auto: series[2].Seconds, Cell: Cell{Name: m.name, Title: m.set.String(), Files: m.files, Bytes: m.bytes,
		Direct: series[0].Seconds, Zip: series[1].Seconds}}
	if len(v.Auto) > 0 && len(v.Direct) > 0 && len(v.Zip) > 0 {
		l.report.Verified = append(l.report.Verified, v)
	}
	return nil
}
