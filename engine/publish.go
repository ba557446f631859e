package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
	"github.com/ketter/ketter/engine/staging"
	"github.com/ketter/ketter/engine/transfer"
)

// publish gives what was staged its final name and makes that durable.
func (r *run) publish(ctx context.Context, parents *staging.Parents) error {
	r.watch.begin(transfer.Publishing, r.end.Files, r.end.Bytes)
	intent := transfer.Intent{Path: r.spec.FinalPath(), Device: r.end.Device, Inode: r.end.Inode,
		Method: r.builder.method(), Files: r.end.Files, Bytes: r.end.Bytes}
	if err := r.pastReturn(ctx, intent); err != nil {
		return err
	}
	inSteps, err := r.stage.Publish(r.source.Name)
	if errors.Is(err, fs.ErrExist) {
		return r.takeBack(ctx, r.publishFailed(err))
	}
	if r.holds.Far && errors.Is(err, fs.ErrNotExist) { // see stillInPlace
		return r.takeBack(ctx, r.notInPlace(err))
	}
	if err != nil { // of a storage that is out of reach nobody can say whether it has renamed
		return r.publishFailed(err)
	}
	r.published = true
	r.watch.count(r.end.Files, r.end.Bytes)
	err = endpoint.InTurn(r.holds.Far,
		func() error { return r.finishTop(manifest.Of(r.source.Name, r.source.Info)) },
		func() error { return failure.AtDestination("sync", r.spec.Destination, parents.Sync()) })
	if err != nil {
		return err
	}
	return r.tellPublished(ctx, intent, r.fallbacks(inSteps))
}

// fallbacks tells what the storage could not do, and what was done instead.
func (r *run) fallbacks(inSteps bool) []string {
	told := []string{}
	if inSteps {
		told = append(told, "the storage can't rename without replacing, so the name was taken first, by steps that can't replace either")
	}
	if !r.holds.SyncWhole {
		told = append(told, "the storage can't be synced as a whole, so each file was synced by itself")
	}
	return told
}

// pastReturn records the intent, unless the run was ended meanwhile, or what it is to publish would be nowhere to be found.
func (r *run) pastReturn(ctx context.Context, intent transfer.Intent) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.stillInPlace(); err != nil {
		return err
	}
	if err := r.watch.beforePublish(ctx, intent); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return r.takeBack(ctx, err)
	}
	return nil
}

// takeBack adds to err that nothing was published after all. When that can't be recorded the intent stays, and a next run
// looks whether it came true.
func (r *run) takeBack(ctx context.Context, err error) error {
	if recording := r.notPublished(ctx); recording != nil {
		return errors.Join(err, recording)
	}
	return err
}

func (r *run) publishFailed(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return destinationExists(r.spec)
	}
	return failure.AtDestination("publish", r.spec.FinalPath(), err)
}

// finishTop gives the published folder the mode and time of the source's. A file has them since it was staged.
func (r *run) finishTop(top manifest.Record) error {
	if top.Type != endpoint.Folder {
		return nil
	}
	name, final := r.name(), r.spec.FinalPath()
	var folder endpoint.Dir
	err := endpoint.InTurn(r.holds.Far, func() (err error) {
		folder, err = r.destination.OpenDir(name)
		return failure.AtDestination("open", final, unlessShut(top, err))
	}, func() error {
		if !r.holds.Modes {
			return nil
		}
		return failure.AtDestination("set mode", final, r.destination.SetMode(name, top.Mode))
	}, func() error {
		return failure.AtDestination("set time", final, r.destination.SetModTime(name, top.ModAt))
	})
	if folder != nil {
		defer folder.Close()
	}
	if err != nil || folder == nil {
		return err
	}
	return failure.AtDestination("sync", final, unlessShut(top, folder.Sync()))
}

// unlessShut is err, but for that of a folder which its final mode shuts to its owner: it can't be opened to be synced.
func unlessShut(top manifest.Record, err error) error {
	const readAndPass = 0o500
	if errors.Is(err, fs.ErrPermission) && top.Mode&readAndPass != readAndPass {
		return nil
	}
	return err
}

func (r *run) tellPublished(ctx context.Context, intent transfer.Intent, fallbacks []string) error {
	figures := publishedFigures(intent)
	message := fmt.Sprintf("Published %s (%s).", intent.Path, intent.Method)
	if len(fallbacks) > 0 {
		figures["fallbacks"] = fallbacks
		message += " Note: " + strings.Join(fallbacks, "; ") + "."
	}
	return r.watch.event(ctx, transfer.EventPublished, message, figures)
}

func publishedFigures(intent transfer.Intent) transfer.Figures {
	return transfer.Figures{"path": intent.Path, "method": string(intent.Method), "files": intent.Files,
		"bytes": intent.Bytes}
}

// name is the source's base name, and so the final one.
func (r *run) name() string { return path.Base(r.spec.Source) }
