package engine

import (
	"context"
	"fmt"

	"github.com/ketter/ketter/engine/direct"
	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/manifest"
	"github.com/ketter/ketter/engine/transfer"
)

// streamed is the builder of ZIP_FIRST over a network: what is small goes over many files at once and is unpacked on the
// way, so that no archive lies on either side's storage; what is large goes over by itself, in several pieces at once.
type streamed struct{}

func (streamed) method() transfer.Method { return transfer.Stream }

func (streamed) build(ctx context.Context, r *run, sink *manifest.Writer) error {
	began := r.engine.now()
	r.watch.begin(transfer.Copying, r.plan.Files, r.plan.Bytes)
	r.watch.skip(r.earlier.done())
	options := r.directly(sink)
	options.Together = true
	if err := direct.Copy(ctx, r.source, r.stage.Data(), options); err != nil {
		return err
	}
	totals, seconds := sink.Totals(), r.engine.now().Sub(began).Seconds()
	return r.watch.event(ctx, transfer.EventArchiveSent,
		fmt.Sprintf("Packed, sent and unpacked %d files of %d bytes on the fly.", totals.Files, totals.Bytes),
		transfer.Figures{"files": totals.Files, "bytes": totals.Bytes, "seconds": seconds})
}

// overNetwork replaces packing into an archive where a side is far away: by a stream where that side takes many files at
// once, else by copying with many files in flight, and then it says why.
func (r *run) overNetwork(ctx context.Context, s *site) error {
	if _, packs := r.builder.(byArchive); !packs || s.source == nil {
		return nil
	}
	from, to := s.source.Dir(), s.place.Dir
	far := false
	for _, side := range []struct {
		far, bulk bool
	}{{from.Capabilities().Far, readsTogether(from)}, {to.Capabilities().Far, writesTogether(to)}} {
		if side.far && side.bulk {
			r.builder = streamed{}
			return nil
		}
		far = far || side.far
	}
	if !far {
		return nil
	}
	r.builder = fileByFile{}
	return r.watch.event(ctx, transfer.EventConnected, fmt.Sprintf("Nothing that could unpack may be started on the other host "+
		"(no ketter, tar or unzip), so the files go one by one, %d at once.", r.engine.inFlight(from, to)),
		transfer.Figures{"method": string(transfer.Copied)})
}

func readsTogether(dir endpoint.Dir) bool {
	reader, ok := dir.(endpoint.BulkReader)
	return ok && reader.ReadLimits().Items > 0
}

func writesTogether(dir endpoint.Dir) bool {
	writer, ok := dir.(endpoint.BulkWriter)
	return ok && writer.WriteLimits().Items > 0
}
