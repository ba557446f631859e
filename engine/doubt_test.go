package engine

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/planner"
	"github.com/ketter/ketter/engine/transfer"
)

// interrupted runs a move until just after its publish, and removes the source's first file as its removal would.
func (b *bench) interrupted() transfer.Spec {
	b.Helper()
	for _, name := range []string{"a", "b", "c"} {
		b.write("from/folder/"+name, name)
	}
	b.log.onEvent = func(e transfer.Event) error {
		if e.Kind == transfer.EventPublished {
			return errCrash
		}
		return nil
	}
	spec := b.spec("folder", transfer.Move, transfer.Direct)
	if _, err := b.run(b.Context(), spec); !errors.Is(err, errCrash) {
		b.Fatal(err)
	}
	b.log.onEvent = nil
	b.must(os.Remove(filepath.Join(b.from, "folder", "a")))
	spec.Run, spec.Intent = b.newRun(), &b.log.intents[0]
	return spec
}

func TestAPublishThatWasTakenAwayIsNotBegunAfreshFromHalfASource(t *testing.T) {
	t.Parallel()
	b := setup(t)
	spec := b.interrupted()
	b.must(os.Rename(spec.FinalPath(), filepath.Join(b.from, "ingested")))
	_, err := b.run(t.Context(), spec)
	b.fails(err, failure.SourceNotRemoved)
	b.gone(spec.FinalPath())
	b.holds(filepath.Join(b.from, "folder"), "b", "c")
}

func TestASourceWhoseFolderCannotBeFoundIsNotTakenForRemoved(t *testing.T) {
	t.Parallel()
	b := setup(t)
	spec := b.interrupted()
	b.must(os.Rename(b.from, b.from+".unmounted"))
	_, err := b.run(t.Context(), spec)
	b.fails(err, failure.SourceNotFound)
	b.must(os.Rename(b.from+".unmounted", b.from))
	_, err = b.run(t.Context(), spec)
	b.must(err)
	b.gone(filepath.Join(b.from, "folder"))
	b.holds(spec.FinalPath(), "a", "b", "c")
}

func TestAPublishIsRecognisedAfterItsVolumeWasMountedAnew(t *testing.T) {
	t.Parallel()
	b := setup(t)
	spec := b.interrupted()
	b.anewDevices()
	_, err := b.run(t.Context(), spec)
	b.must(err)
	b.gone(filepath.Join(b.from, "folder"))
}

// anewDevices makes the destination tell of another device from here on.
func (b *bench) anewDevices() {
	inner := b.engine.decorate.destination
	b.engine.decorate.destination = func(dir endpoint.Dir) endpoint.Dir {
		if inner != nil {
			dir = inner(dir)
		}
		return anew{dir}
	}
}

type anew struct{ endpoint.Dir }

func (a anew) Unwrap() endpoint.Dir { return a.Dir }

func (a anew) Lstat(name string) (endpoint.Info, error) {
	info, err := a.Dir.Lstat(name)
	info.Device++
	return info, err
}

func TestAnInodeNumberAloneProvesNoPublish(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.write("from/folder/a", "ours")
	b.write("to/folder/a", "theirs")
	spec := b.spec("folder", transfer.Copy, transfer.Direct)
	dir, err := b.engine.roots.Locate(spec.Destination)
	b.must(err)
	defer dir.Dir.Close()
	info, err := dir.Dir.Lstat("folder")
	b.must(err)
	spec.Intent = &transfer.Intent{Path: spec.FinalPath(), Device: info.Device, Inode: info.Inode, Method: transfer.Copied}
	_, err = b.run(t.Context(), spec)
	b.fails(err, failure.DestinationExists)
	b.holds(b.to, "folder")
}

func TestACopyTheStorageEndsShortIsFinishedByHand(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.write("from/clip", string(make([]byte, 1<<20)))
	b.engine.decorate.destination = func(dir endpoint.Dir) endpoint.Dir { return short{dir} }
	spec := b.spec("clip", transfer.Move, transfer.Direct)
	spec.Verify = transfer.None
	_, err := b.run(t.Context(), spec)
	b.must(err)
	info, err := os.Stat(spec.FinalPath())
	if err != nil || info.Size() != 1<<20 {
		t.Errorf("%v, %v", info, err)
	}
}

// short is a storage whose own copying ends early, as copy_file_range may.
type short struct{ endpoint.Dir }

func (s short) Unwrap() endpoint.Dir { return s.Dir }

func (s short) OpenDir(name string) (endpoint.Dir, error) {
	dir, err := s.Dir.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return short{dir}, nil
}

func (s short) Create(name string, mode uint32) (endpoint.Writer, error) {
	w, err := s.Dir.Create(name, mode)
	if err != nil {
		return nil, err
	}
	return &shortWriter{Writer: w}, nil
}

type shortWriter struct {
	endpoint.Writer
	asked bool
}

func (w *shortWriter) CopyFrom(at int64, r endpoint.Reader, from, limit int64) (int64, error) {
	if w.asked {
		return 0, nil
	}
	w.asked = true
	return w.Writer.CopyFrom(at, r, from, min(limit, 100000))
}

func TestANameThatComesWhileAFolderIsCopiedIsNoticed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.write("from/folder/take 1.wav", "sound")
	b.engine.decorate.source = func(dir endpoint.Dir) endpoint.Dir {
		return recording{dir, func() { b.write("from/folder/take 2.wav", "more sound") }}
	}
	spec := b.spec("folder", transfer.Copy, transfer.Direct)
	_, err := b.runPlan(t.Context(), b.planFor(spec))
	b.fails(err, failure.SourceChanged)
	b.gone(spec.FinalPath())
}

// planFor plans without looking, so that the folder is read for the first time by the copy.
func (b *bench) planFor(spec transfer.Spec) (plan planner.Plan) {
	plan.Spec, plan.Strategy, plan.IsFolder = spec, transfer.Direct, true
	return plan
}

// recording is a source in which a recorder makes a file as soon as a folder has been listed.
type recording struct {
	endpoint.Dir
	record func()
}

func (r recording) Unwrap() endpoint.Dir { return r.Dir }

func (r recording) OpenDir(name string) (endpoint.Dir, error) {
	dir, err := r.Dir.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return recording{dir, r.record}, nil
}

func (r recording) List(fn func(endpoint.Entry) error) error {
	err := r.Dir.List(fn)
	r.record()
	return err
}
