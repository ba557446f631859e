package lab

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/sample"
)

// labs are those of the brief, in its order; auto comes last, for it tries what the figures of the others recommend.
var labs = []struct {
	name, title string
	run         func(*lab, context.Context) error
}{
	{"small", "Labs 01 and 02: many small files", (*lab).runSmall},
	{"big", "Lab 03.1: one big file", (*lab).runBig},
	{"mix", "Lab 03.2: one big file and many small ones", (*lab).runMix},
	{"sweep", "Lab 03.3: number of files by average size", (*lab).runSweep},
	{"history", "Lab 04: what the API tells of jobs", (*lab).runHistory},
	{"errors", "Lab 05: what must fail", (*lab).runErrors},
	{"layout", "Lab 06: one layout, whatever the strategy", (*lab).runLayout},
	{"overwrite", "Lab 07: nothing is ever overwritten", (*lab).runOverwrite},
	{"auto", "AUTO under the recommended thresholds", (*lab).runAuto},
}

// Names are those of the labs.
func Names() (names []string) {
	for _, one := range labs {
		names = append(names, one.name)
	}
	return names
}

// Run runs the labs that are asked for. The report is complete unless there is an error; whatever happens, all that was made is
// removed when it returns.
func Run(ctx context.Context, api *client.Client, o Options) (Report, error) {
	l, err := open(ctx, api, &o)
	if l == nil {
		return Report{}, err
	}
	if err == nil {
		l.describe(ctx)
		err = l.runAll(ctx)
	}
	return l.report, l.end(ctx, err)
}

func (l *lab) runAll(ctx context.Context) error {
	for _, one := range labs {
		if !l.wants(one.name) {
			continue
		}
		l.say("%s", one.title)
		if err := one.run(l, ctx); err != nil {
			return err
		}
	}
	l.recommend()
	l.report.complete = true
	return nil
}

func (l *lab) runSmall(ctx context.Context) error {
	return l.compare(ctx, l.small(), slices.Concat(copies, moves), false)
}

func (l *lab) runBig(ctx context.Context) error {
	return l.compare(ctx, l.big(), slices.Concat(copies, moves), true)
}

func (l *lab) runMix(ctx context.Context) error {
	return l.compare(ctx, l.mix(), slices.Concat(copies, moves), true)
}

func (l *lab) runSweep(ctx context.Context) error {
	for _, d := range l.cells() {
		if l.leftOut(d) {
			l.leave("sweep", d.set.String(), "it is more than "+sample.BytesText(l.Sweep.Most)+"; see --sweep-most")
			continue
		}
		if err := l.compare(ctx, d, copies, false); err != nil {
			return err
		}
	}
	return nil
}

// runLayout proves that folders of both kinds, and a file, arrive as destination/<base name>.
func (l *lab) runLayout(ctx context.Context) error {
	for _, one := range []struct {
		set      sample.Set
		strategy transfer.Strategy
		file     string
	}{
		{sample.Of(1, 1<<20), transfer.Direct, ""},
		{sample.Of(200, 1<<10), transfer.ZipFirst, ""},
		{sample.Of(1, 1<<10), transfer.Direct, firstFile},
		{sample.Of(1, 1<<10), transfer.ZipFirst, firstFile},
	} {
		if err := l.layOut(ctx, one.set, way{transfer.Copy, one.strategy}, one.file); err != nil {
			return err
		}
	}
	return nil
}

// firstFile is where sample puts the first file of a set.
const firstFile = "part_1/session_001/take_000001.wav"

func (l *lab) layOut(ctx context.Context, set sample.Set, w way, file string) error {
	folder, err := l.make(ctx, dataset{"layout", "src_layout", set})
	if err != nil {
		return err
	}
	m, what := folder, "a folder of "+set.String()
	if file != "" {
		what = "a single file"
		m = &made{dataset: dataset{"layout", path.Base(file), set}, side: folder.side.at(file), files: folder.files, bytes: folder.bytes}
		if err := m.sumUp(); err != nil {
			return err
		}
	}
	_, problem, err := l.once(ctx, m, w, l.destination, w.Strategy)
	if err == nil {
		l.expect("layout", fmt.Sprintf("%s by %s arrives as destination/%s, and nothing beside it", what, w.Strategy, m.name), problem)
	}
	return errors.Join(err, l.remove(folder.side))
}
