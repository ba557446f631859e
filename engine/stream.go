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

// overNetwork chooses the builder, and tells why where it is another one than the strategy says.
func (r *run) overNetwork(ctx context.Context, s *site) error {
	var why string
	if r.builder, why = r.engine.suited(r.builder, s); why == "" {
		return nil
	}
	return r.watch.event(ctx, transfer.EventConnected, why, transfer.Figures{"method": string(transfer.Copied)})
}

// suited replaces packing into an archive where a side is far away: by a stream where that side takes many files at once,
// else by copying with many files in flight, and then it says why.
func (e *Engine) suited(b builder, s *site) (_ builder, why string) {
	if _, packs := b.(byArchive); !packs || s.source == nil {
		return b, ""
	}
	from, to := s.source.Dir(), s.place.Dir
	far := false
	for _, side := range []struct {
		far, bulk bool
	}{{from.Capabilities().Far, readsTogether(from)}, {to.Capabilities().Far, writesTogether(to)}} {
		if side.far && side.bulk {
			return streamed{}, ""
		}
		far = far || side.far
	}
	if !far {
		return b, ""
	}
	return fileByFile{}, fmt.Sprintf("Nothing that could unpack may be started on the other host "+
		"(no ketter, tar or unzip), so the files go one by one, %d at once.", e.inFlight(from, to))
}

func readsTogether(dir endpoint.Dir) bool {
	reader, ok := dir.(endpoint.BulkReader)
	return ok && reader.ReadLimits().Items > 0
}

func writesTogether(dir endpoint.Dir) bool {
	writer, ok := dir.(endpoint.BulkWriter)
	return ok && writer.WriteLimits().Items > 0
}
