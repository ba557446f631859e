package engine

import (
	"context"

	"github.com/ketter/ketter/engine/direct"
	"github.com/ketter/ketter/engine/manifest"
	"github.com/ketter/ketter/engine/transfer"
)

// fileByFile is the builder of DIRECT.
type fileByFile struct{}

func (fileByFile) method() transfer.Method { return transfer.Copied }

func (fileByFile) build(ctx context.Context, r *run, sink *manifest.Writer) error {
	r.watch.begin(transfer.Copying, r.plan.Files, r.plan.Bytes)
	r.watch.skip(r.earlier.done())
	return direct.Copy(ctx, r.source, r.stage.Data(), r.directly(sink))
}

// directly is how files are copied.
func (r *run) directly(sink *manifest.Writer) direct.Options {
	options := direct.Options{
		Parallel: r.parallel,
		Batch:    share(r.plan.Files, r.parallel, direct.Batch),
		Hash:     r.spec.Verify == transfer.Checksum,
		Keep:     r.keep,
		Sink:     sink,
		Count:    r.watch.count,

		PartEvery: r.engine.partEvery,
	}
	if r.earlier != nil {
		options.Earlier = r.earlier
	}
	return options
}
