package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// TestAnIntentIsTakenBackWhenItCannotComeTrue has every way in which a run knows that nothing came of a publish, its own or an
// earlier run's: from then on the job may be cancelled again.
func TestAnIntentIsTakenBackWhenItCannotComeTrue(t *testing.T) {
	t.Parallel()
	somebody := errors.New("somebody else's")
	for name, c := range map[string]struct {
		mode   transfer.Mode
		before func(b *bench, spec *transfer.Spec) context.Context
		taken  int
	}{
		"the name was taken meanwhile": {transfer.Copy, func(b *bench, spec *transfer.Spec) context.Context {
			b.log.beforePublish = func(transfer.Intent) error { return os.Mkdir(spec.FinalPath(), 0o755) }
			return b.Context()
		}, 1},
		"the name was taken meanwhile, of a rename": {transfer.Move, func(b *bench, spec *transfer.Spec) context.Context {
			spec.Strategy = transfer.Auto
			b.log.beforePublish = func(transfer.Intent) error { return os.Mkdir(spec.FinalPath(), 0o755) }
			return b.Context()
		}, 1},
		"the run was stopped at that very moment": {transfer.Copy, func(b *bench, spec *transfer.Spec) context.Context {
			ctx, cancel := context.WithCancel(b.Context())
			b.log.beforePublish = func(transfer.Intent) error { cancel(); return nil }
			return ctx
		}, 1},
		"an earlier run's staging is there": {transfer.Copy, func(b *bench, spec *transfer.Spec) context.Context {
			b.crashBeforePublish(*spec)
			*spec = b.again(*spec)
			spec.Intent = &transfer.Intent{Path: spec.FinalPath(), Inode: 1, Method: transfer.Copied}
			b.log.beforePublish = func(transfer.Intent) error { return somebody }
			return b.Context()
		}, 1},
		"an earlier run's staging is gone": {transfer.Copy, func(b *bench, spec *transfer.Spec) context.Context {
			spec.Intent = &transfer.Intent{Path: spec.FinalPath(), Inode: 1, Method: transfer.Copied}
			b.log.beforePublish = func(transfer.Intent) error { return somebody }
			return b.Context()
		}, 1},
		"an earlier run may still rename": {transfer.Move, func(b *bench, spec *transfer.Spec) context.Context {
			spec.Intent = &transfer.Intent{Path: spec.FinalPath(), Inode: 1, Method: transfer.Rename}
			b.log.beforePublish = func(transfer.Intent) error { return os.Mkdir(spec.FinalPath(), 0o755) }
			return b.Context()
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.small()
			spec := b.spec("folder", c.mode, transfer.Direct)
			ctx := c.before(b, &spec)
			if _, err := b.run(ctx, spec); err == nil {
				t.Fatal("it succeeded")
			}
			if b.log.takenBack != c.taken {
				t.Errorf("taken back %d times, want %d", b.log.takenBack, c.taken)
			}
		})
	}
}

// TestARunThatHasLostItsRightTakesNothing has a run that was stopped before it took over what another one has left.
func TestARunThatHasLostItsRightTakesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.small()
	spec := b.spec("folder", transfer.Copy, transfer.Direct)
	b.crashBeforePublish(spec)
	left := b.snapshot(filepath.Join(b.to, ".ketter-test_1-7-token_1.partial"))
	b.log.beforeInherit = func() error { return failure.New(failure.LeaseLost, "", "") }
	_, err := b.run(t.Context(), b.again(spec))
	b.fails(err, failure.LeaseLost)
	b.same(b.snapshot(filepath.Join(b.to, ".ketter-test_1-7-token_1.partial")), left)
}
