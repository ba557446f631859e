package shelltools

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/remote"
)

// tarReader is an endpoint.BulkReader.
type tarReader struct{ f *folder }

func (tarReader) ReadLimits() endpoint.BulkLimits { return limits }

// ReadAll looks at all files, has tar pack those that are small enough, and looks again. It holds what it reads in memory,
// up to a call's limit; files beyond it are read one by one, as is what tar didn't bring, or not in the size that was seen,
// and everything if tar had any complaint (a file changed under it, say): so each file gets its own error. It knows no
// attributes.
func (r tarReader) ReadAll(ctx context.Context, paths []string, _ int64, _ bool, fn func(i int, file endpoint.Whole) error) error {
	before, err := r.f.look(ctx, paths)
	if err != nil {
		return err
	}
	wanted, first := suited(paths, before)
	packed, err := r.packed(ctx, wanted)
	if err != nil {
		return err
	}
	after, err := r.f.look(ctx, wanted)
	if err != nil {
		return err
	}
	files, err := r.f.complete(ctx, wanted, packed, first, after)
	if err != nil {
		return err
	}
	find := tree.NewFinder(r.f.Dir)
	defer find.Close()
	for i, path := range paths {
		file, known := files[path]
		if !known {
			file = alone(find, path, before[i])
		}
		if err := firstError(ctx.Err(), fatal(file.Err)); err != nil {
			return err
		}
		if err := fn(i, file); err != nil {
			return err
		}
	}
	return nil
}

// suited are the regular files of paths, each once, that one call may carry, and what is known of them.
func suited(paths []string, found []looked) (wanted []string, first []looked) {
	bytes, known := int64(0), map[string]bool{}
	for i, path := range paths {
		if found[i].err != nil || found[i].info.Type != endpoint.File || known[path] {
			continue
		}
		if size := found[i].info.Size; size <= limits.Bytes-bytes {
			known[path] = true
			bytes += size
			wanted, first = append(wanted, path), append(first, found[i])
		}
	}
	return wanted, first
}

// packed has tar read the files; of each that came, it returns what is in it, never nil. If tar complains, none did.
func (r tarReader) packed(ctx context.Context, wanted []string) (map[string][]byte, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	script := map[string]string{"gnu": packGNU, "bsd": packBSD, "busybox": packBusybox}[r.f.host.tools.Tar]
	var files map[string][]byte
	err := run(ctx, r.f.host.starter, script, func(out io.Writer) error {
		if err := r.f.enter(out, nil); err != nil {
			return err
		}
		return names(out, wanted)
	}, func(in io.Reader) (err error) {
		files, err = unpack(in, wanted)
		return err
	})
	var exit *remote.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		return nil, nil
	}
	return files, err
}

// unpack reads one tar archive or several in a row, of nothing but wanted, in memory.
func unpack(in io.Reader, wanted []string) (map[string][]byte, error) {
	// Headers take 2 KiB beside a name and padding; what the far host sends beyond that isn't what was asked for.
	most := limits.Bytes + maxNoise
	for _, name := range wanted {
		most += 8<<10 + 2*int64(len(name))
	}
	stream, err := afterMarker(io.LimitReader(in, most))
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte, len(wanted))
	for _, name := range wanted {
		files[name] = nil
	}
	left := limits.Bytes
	for {
		if _, err := stream.Peek(1); errors.Is(err, io.EOF) {
			break
		}
		if err := unpackOne(stream, files, &left); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// unpackOne reads an archive of up to left bytes in files.
func unpackOne(stream *bufio.Reader, files map[string][]byte, left *int64) error {
	archive := tar.NewReader(stream)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("its archive: %w", err)
		}
		name := strings.TrimPrefix(header.Name, "./")
		known, asked := files[name]
		if !asked || known != nil || header.Typeflag != tar.TypeReg {
			continue // as a further link to a file that came already, without its bytes
		}
		if *left -= header.Size; *left < 0 {
			return syscall.EFBIG
		}
		data := make([]byte, header.Size)
		if _, err := io.ReadFull(archive, data); err != nil {
			return fmt.Errorf("its archive: %w", unexpected(err))
		}
		files[name] = data
	}
}
