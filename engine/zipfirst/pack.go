package zipfirst

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

// Pack writes root's entries into out, and a record of each into sink, that of a folder after those of all it holds. It
// returns how many bytes of the archive they take. archive is its path, for messages.
//
// A file that Done holds is left out, and its record with it. Of a Pack that failed, what is recorded of folders says
// nothing of what they hold.
func Pack(ctx context.Context, root *tree.Root, out endpoint.Writer, archive string, sink *manifest.Writer, o Options) (
	size int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(o.Parallel)
	p := &packer{ctx: ctx, options: o, out: out, archive: archive, sink: sink, group: group,
		large: make(chan struct{}, largeFiles)}
	if root.Folder == nil {
		f := &folder{dir: root.Parent, done: o.Done}
		err = p.pack(f, []endpoint.Entry{{Name: root.Name, Type: endpoint.File}})
		return p.size, err
	}
	if err = tree.Walk[*folder](ctx, root, p, o.Parallel); err != nil {
		cancel()
	}
	others := group.Wait()
	if err == nil || errors.Is(err, context.Canceled) && others != nil {
		err = others // the walk was only told to stop
	}
	if err == nil {
		err = p.gone
	}
	return p.size, err
}

// packer is the Visitor that packs, in batches of names of a folder. As many are under way as the group allows; whoever
// finds no place in it does the work itself.
type packer struct {
	ctx     context.Context
	options Options
	out     endpoint.Writer
	archive string
	sink    *manifest.Writer
	group   *errgroup.Group
	large   chan struct{} // one for each large file under way

	mu   sync.Mutex
	size int64 // of the archive so far
	gone error // see checkDone
}

// reserve takes the place of what is length bytes long, at a given place, and returns that place.
func (p *packer) reserve(length func(at int64) int64) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.size
	p.size += length(at)
	return at
}

func (p *packer) write(b []byte, at int64) error {
	_, err := p.out.WriteAt(b, at)
	return failure.AtDestination("write archive", p.archive, err)
}

// add records what is in the archive; bytes are those that were not counted yet.
func (p *packer) add(record manifest.Record, bytes int64) error {
	if err := p.sink.Add(record); err != nil {
		return failure.AtDestination("record", p.archive, err)
	}
	if record.Type != endpoint.Folder {
		p.options.Count(1, bytes)
	}
	return nil
}

// checkLength refuses a path, or a link's target, that no zip can hold.
func (p *packer) checkLength(path string) error {
	if len(path) < longName { // a folder's has a slash more
		return nil
	}
	f := failure.New(failure.ArchiveError, p.archive, fmt.Sprintf(
		"A path of %d bytes can't be packed, an archive has place for %d: %.100s…", len(path), longName-1, path))
	f.Hint = `Run the job with "strategy": "DIRECT"; the source is untouched.`
	return f
}
