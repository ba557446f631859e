package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ketter/ketter/infra/sample"
)

// dataset is a folder that is transferred, under this name.
type dataset struct {
	lab, name string
	set       sample.Set
}

func (o *Options) small() dataset {
	return dataset{"small", "src_small", sample.Of(o.SmallFiles, o.SmallSize)}
}

func (o *Options) big() dataset { return dataset{"big", "src_big", sample.Of(1, o.Big)} }

func (o *Options) mix() dataset {
	return dataset{"mix", "src_mix", append(sample.Of(1, o.MixBig), sample.Of(o.SmallFiles, o.SmallSize)...)}
}

// cells are the sweep's data sets, those that are left out as well.
func (o *Options) cells() (cells []dataset) {
	for _, files := range o.Sweep.Files {
		for _, size := range o.Sweep.Sizes {
			cells = append(cells, dataset{"sweep", fmt.Sprintf("src_%d_%d", files, size), sample.Of(files, size)})
		}
	}
	return cells
}

func (o *Options) leftOut(d dataset) bool { return o.Sweep.Most > 0 && d.set.Bytes() > o.Sweep.Most }

// datasets are all that the chosen labs make.
func (o *Options) datasets() (all []dataset) {
	for _, d := range append([]dataset{o.small(), o.big(), o.mix()}, o.cells()...) {
		if (o.wants(d.lab) || d.lab != "sweep" && o.wants("auto")) && !(d.lab == "sweep" && o.leftOut(d)) {
			all = append(all, d)
		}
	}
	return all
}

// made is a data set that is there, or was until it was moved away.
type made struct {
	dataset
	side             Side
	digest, contents uint64
	outline          uint64
	files, bytes     int64
}

// make writes a data set into the source's folder and sums it up.
func (l *lab) make(ctx context.Context, d dataset) (*made, error) {
	m := &made{dataset: d, side: l.source.at(d.name), files: int64(d.set.Files()), bytes: d.set.Bytes()}
	if err := d.set.MakeUntil(ctx, m.side.Here); err != nil {
		return m, fmt.Errorf("making %s: %w", m.side.Here, err)
	}
	return m, m.sumUp()
}

func (m *made) sumUp() (err error) {
	var errs [3]error
	m.digest, errs[0] = sample.Digest(m.side.Here)
	m.contents, errs[1] = sample.Contents(m.side.Here)
	m.outline, errs[2] = sample.Outline(m.side.Here)
	return errors.Join(errs[:]...)
}

// restore makes it again if the last run moved it away.
func (m *made) restore(ctx context.Context) error {
	if _, err := os.Lstat(m.side.Here); err == nil {
		return nil
	}
	return m.set.MakeUntil(ctx, m.side.Here)
}

func entriesOf(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// exists says whether something is under a name, be it a link that leads nowhere.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, os.ErrNotExist)
}

func writeFile(dir, name string, content []byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), content, 0o644)
}
