package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
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
	if err := r.stage.Publish(r.source.Name); err != nil {
		return r.publishFailed(err)
	}
	r.published = true
	r.watch.count(r.end.Files, r.end.Bytes)
	if err := r.finishTop(r.source.Info); err != nil {
		return err
	}
	return r.tellPublished(ctx, parents, intent)
}

// pastReturn records the intent, and stops a run that was ended meanwhile.
func (r *run) pastReturn(ctx context.Context, intent transfer.Intent) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.watch.beforePublish(ctx, intent); err != nil {
		return err
	}
	return ctx.Err()
}

func (r *run) publishFailed(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return destinationExists(r.spec)
	}
	return failure.AtDestination("publish", r.spec.FinalPath(), err)
}

// finishTop gives the published folder the mode and time of the source's. A file has them since it was staged.
func (r *run) finishTop(info endpoint.Info) error {
	if info.Type != endpoint.Folder {
		return nil
	}
	name, final := r.name(), r.spec.FinalPath()
	folder, err := r.destination.OpenDir(name)
	if err != nil {
		return failure.AtDestination("open", final, err)
	}
	defer folder.Close()
	if err := r.destination.SetMode(name, info.Mode); err != nil {
		return failure.AtDestination("set mode", final, err)
	}
	if err := r.destination.SetModTime(name, info.ModAt); err != nil {
		return failure.AtDestination("set time", final, err)
	}
	return failure.AtDestination("sync", final, folder.Sync())
}

func (r *run) tellPublished(ctx context.Context, parents *staging.Parents, intent transfer.Intent) error {
	if err := parents.Sync(); err != nil {
		return failure.AtDestination("sync", r.spec.Destination, err)
	}
	return r.watch.event(ctx, transfer.EventPublished,
		fmt.Sprintf("Published %s (%s).", intent.Path, intent.Method), publishedFigures(intent))
}

func publishedFigures(intent transfer.Intent) transfer.Figures {
	return transfer.Figures{"path": intent.Path, "method": string(intent.Method), "files": intent.Files,
		"bytes": intent.Bytes}
}
