package lab

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/machine"
)

// way is how a data set is transferred.
type way struct {
	Mode     transfer.Mode
	Strategy transfer.Strategy
}

func (w way) String() string { return fmt.Sprintf("%s %s", w.Mode, w.Strategy) }

var (
	copies = []way{{transfer.Copy, transfer.Direct}, {transfer.Copy, transfer.ZipFirst}}
	moves  = []way{{transfer.Move, transfer.Direct}, {transfer.Move, transfer.ZipFirst}}
	autos  = []way{{transfer.Copy, transfer.Auto}, {transfer.Move, transfer.Auto}}
)

// Series is what a data set took by one way, round by round.
type Series struct {
	Lab      string            `json:"lab"`
	DataSet  string            `json:"data_set"`
	Files    int64             `json:"files"`
	Bytes    int64             `json:"bytes"`
	Mode     transfer.Mode     `json:"mode"`
	Asked    transfer.Strategy `json:"asked"`
	Strategy transfer.Strategy `json:"strategy"`
	Method   transfer.Method   `json:"method"`
	Seconds  []float64         `json:"seconds"`
}

// measure runs each way once in each round, in an order that changes, so that a slow moment of the machine hits all alike and none
// always comes after the same one.
func (l *lab) measure(ctx context.Context, m *made, ways []way, to Side, wanted func(way) transfer.Strategy) ([]Series, error) {
	series, problems := make([]Series, len(ways)), make([]string, len(ways))
	for i, w := range ways {
		series[i] = Series{Lab: m.lab, DataSet: m.set.String(), Files: m.files, Bytes: m.bytes, Mode: w.Mode, Asked: w.Strategy}
	}
	for round := range l.Rounds {
		for _, i := range rand.New(rand.NewPCG(1, uint64(round))).Perm(len(ways)) {
			job, problem, err := l.once(ctx, m, ways[i], to, wanted(ways[i]))
			if err != nil {
				return nil, err
			}
			result := verdictOf(problem)
			if problem == "" {
				series[i].add(job)
				result = fmt.Sprintf("%.3f s", *job.DurationSeconds)
			} else if problems[i] == "" {
				problems[i] = problem
			}
			l.say("%s, %s, round %d of %d: %s", m.set, ways[i], round+1, l.Rounds, result)
		}
	}
	for i, w := range ways {
		l.expect(m.lab, fmt.Sprintf("%s, %s", m.set, w), problems[i])
	}
	return series, nil
}

func (s *Series) add(job client.JobDetail) {
	s.Strategy, s.Seconds = *job.Strategy, append(s.Seconds, *job.DurationSeconds)
	if job.Method != nil {
		s.Method = *job.Method
	}
}

// once runs a way into a new folder, proves what it made and removes that. What is wrong with it is a problem; only what stops
// the labs is an error.
func (l *lab) once(ctx context.Context, m *made, w way, to Side, wanted transfer.Strategy) (job client.JobDetail, problem string, err error) {
	if err := m.restore(ctx); err != nil {
		return job, "", err
	}
	if err := l.settle(ctx); err != nil {
		return job, "", err
	}
	l.runs++
	into := to.at(fmt.Sprintf("dst_%d", l.runs))
	job, err = l.run(ctx, order(m.side, into, w), l.JobTimeout)
	tooLong := failure.CodeOf(err) == failure.Cancelled && ctx.Err() == nil
	if err != nil && !tooLong {
		return job, "", err
	}
	if job.Status != transfer.Success {
		return job, ended(job), nil
	}
	problem, err = l.prove(m, w, into, job, wanted)
	if err != nil {
		return job, "", err
	}
	if l.Keep && into.Here != "" {
		return job, problem, nil
	}
	cleared, err := l.clear(ctx, m, into)
	if problem == "" {
		problem = cleared
	}
	return job, problem, err
}

// settle has caches hold nothing of what was just written, where that may be.
func (l *lab) settle(ctx context.Context) error {
	if l.KeepCaches {
		return nil
	}
	if err := machine.Sync(ctx); err != nil {
		return err
	}
	if err := machine.DropCaches(machine.DataAndNames); err != nil {
		l.report.CachesKept = err.Error()
	}
	return nil
}

// asked is what is expected of ways that don't leave it to the planner.
func asked(w way) transfer.Strategy { return w.Strategy }

// compare makes a data set and measures it by these ways, then by AUTO under the brief's thresholds if that is wanted.
func (l *lab) compare(ctx context.Context, d dataset, ways []way, auto bool) error {
	m, err := l.make(ctx, d)
	if err != nil {
		return err
	}
	series, err := l.measure(ctx, m, ways, l.destination, asked)
	if err == nil {
		l.record(d, series)
	}
	if err == nil && auto {
		err = l.decideByBrief(ctx, m)
	}
	return errors.Join(err, m.remove())
}

// record keeps the figures, those of copies as a cell too.
func (l *lab) record(d dataset, series []Series) {
	l.report.Figures = append(l.report.Figures, series...)
	c := Cell{Name: d.name, Title: d.set.String(), Files: int64(d.set.Files()), Bytes: d.set.Bytes()}
	for _, s := range series {
		switch (way{s.Mode, s.Asked}) {
		case copies[0]:
			c.Direct = s.Seconds
		case copies[1]:
			c.Zip = s.Seconds
		}
	}
	if len(c.Direct) > 0 && len(c.Zip) > 0 {
		l.report.Cells = append(l.report.Cells, c)
	}
}
