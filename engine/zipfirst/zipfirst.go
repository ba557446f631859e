// Package zipfirst packs a file or folder into one standard zip, and unpacks such a zip into a staging folder. Entries are
// stored, not compressed; names are the bytes they are at the source, and beyond 4 GiB or 65,535 entries the archive is a
// zip64. Files are packed and unpacked in parallel, and nothing is kept of one that is done: where it lies in the archive
// stands in the manifest, of which the archive's own directory is made (Seal) and by which it is unpacked (Unpack). So do
// modes and times to the nanosecond, links and attributes, which a zip can't hold. The package never decides whether packing
// is worth it, never gives anything its final name, and never alters the source.
package zipfirst

import (
	"sync"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/staging"
)

// Options is how to pack and unpack.
type Options struct {
	Parallel int          // files in flight at once, at least 1
	Hash     bool         // hash each file as it is packed
	Keep     staging.Keep // what is kept of the source
	Count    func(files, bytes int64)
	// Done, when not nil, holds files that an earlier run has proven, each at its path, and that the manifest lists already,
	// without a place in the archive. They are not packed, and taken from there by Unpack.
	Done endpoint.Dir
}

const (
	// batchSize is how many names one goroutine takes at once. What is small among them is written and read as one.
	batchSize = 16
	// bufferSize is what a file is read and written in at once: one of a common size, its header, and a long name.
	bufferSize = 1<<20 + 128<<10
	// largeFiles is how many files are moved at once that don't fit into a buffer, each with chunksInFlight chunks.
	largeFiles     = 4
	chunksInFlight = 4
)

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}
