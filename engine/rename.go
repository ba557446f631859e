package engine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/staging"
	"github.com/ketter/ketter/engine/transfer"
)

// mayRename reports whether a rename may well succeed. It is asked with a name that doesn't exist, which the kernel answers
// with EXDEV before it looks for it, so that nothing is changed and the point of no return isn't passed for nothing.
func (r *run) mayRename() bool {
	if folder := r.source.Folder; folder != nil { // renaming a folder into another writes to it (its "..")
		shut := r.source.Info.Mode&0o200 == 0 && os.Geteuid() != 0
		if shut || folder.CanMake() != nil {
			return false
		}
	}
	nothing := staging.Name(r.spec.Run)
	return errors.Is(r.source.Parent.Rename(nothing, r.destination, nothing), fs.ErrNotExist)
}

// rename moves by renaming the source to its final name, and reports false where only a copy can do it.
func (r *run) rename(ctx context.Context, parents *staging.Parents) (bool, error) {
	if !r.mayRename() {
		return false, nil
	}
	intent := transfer.Intent{Path: r.spec.FinalPath(), Device: r.source.Info.Device, Inode: r.source.Info.Inode,
		Method: transfer.Rename, Files: r.plan.Files, Bytes: r.plan.Bytes}
	r.watch.begin(transfer.Publishing, r.plan.Files, r.plan.Bytes)
	if err := r.pastReturn(ctx, intent); err != nil {
		return false, err
	}
	err := r.source.Parent.Rename(r.source.Name, r.destination, r.source.Name)
	if onlyByCopy(err) {
		return false, r.notPublished(ctx)
	}
	if errors.Is(err, fs.ErrExist) {
		return false, r.takeBack(ctx, r.publishFailed(err))
	}
	if errors.Is(err, fs.ErrNotExist) && r.spec.Intent != nil {
		return false, staging.ErrPublished // or so it seems: a run that was past its return when this one began did it
	}
	if err != nil {
		return false, r.publishFailed(err)
	}
	r.published = true
	r.watch.count(r.plan.Files, r.plan.Bytes)
	if err := r.source.Parent.Sync(); err != nil {
		return true, failure.AtSource("sync", path.Dir(r.spec.Source), err)
	}
	if err := parents.Sync(); err != nil {
		return true, failure.AtDestination("sync", r.spec.Destination, err)
	}
	return true, r.tellPublished(ctx, intent, nil)
}

// onlyByCopy reports whether a rename failed in a way that a copy may not.
func onlyByCopy(err error) bool {
	for _, errno := range []syscall.Errno{syscall.EXDEV, syscall.EACCES, syscall.EPERM, syscall.EINVAL, syscall.EBUSY,
		syscall.EROFS} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// topRemovable refuses, before anything is done, the move of a source that can't be removed.
func (r *run) topRemovable() error {
	const mayChange = false // the folder that the source is in is not the job's to change
	err := r.source.Parent.CanRemove(r.source.Name, mayChange)
	if err == nil {
		return nil
	}
	refused := failure.AtSource("remove", r.spec.Source, err)
	return explain(refused, "The source can't be removed, so it can't be moved: "+r.spec.Source)
}

// explain gives a failure a sentence of its own.
func explain(err error, sentence string) error {
	var f *failure.Error
	if errors.As(err, &f) && f.Message == "" {
		f.Message = sentence
	}
	return err
}
