package shelltools

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"syscall"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/remote"
)

// digester is an endpoint.Digester. What it sums up may come from the far host's memory: no tool there says otherwise.
type digester struct{ f *folder }

// DigestLimits has no limit of bytes to speak of: none of them travel.
func (digester) DigestLimits() endpoint.BulkLimits {
	return endpoint.BulkLimits{Items: limits.Items, Bytes: 1 << 50, Calls: limits.Calls}
}

func (d digester) Digests(ctx context.Context, paths []string) ([]endpoint.Digest, error) {
	found, err := d.f.look(ctx, paths)
	if err != nil {
		return nil, err
	}
	digests := make([]endpoint.Digest, len(paths))
	wanted, index := []string{}, []int{}
	for i, look := range found {
		digests[i] = endpoint.Digest{Size: look.info.Size, Err: look.err}
		if look.err == nil && look.info.Type != endpoint.File {
			digests[i].Err = notRegular(look.info.Type)
		}
		if digests[i].Err == nil {
			wanted, index = append(wanted, paths[i]), append(index, i)
		}
	}
	sums, err := d.sums(ctx, wanted)
	if err != nil {
		return nil, err
	}
	find := tree.NewFinder(d.f.Dir)
	defer find.Close()
	for j, i := range index {
		if digests[i].XXH64 = sums[j].xxh64; !sums[j].ok {
			digests[i].Err = whyNot(find, wanted[j])
		}
	}
	return digests, nil
}

func notRegular(t endpoint.Type) error {
	switch t {
	case endpoint.Symlink:
		return syscall.ELOOP
	case endpoint.Folder:
		return syscall.EISDIR
	default:
		return syscall.EINVAL
	}
}

// whyNot tells why a file couldn't be read.
func whyNot(find *tree.Finder, path string) error {
	dir, name, err := find.Find(path)
	if err != nil {
		return err
	}
	r, err := dir.Open(name)
	if err != nil {
		return err
	}
	defer r.Close()
	return syscall.EIO
}

// sum is what xxh64sum says of a file.
type sum struct {
	xxh64 uint64
	ok    bool
}

// sums has xxh64sum read the files. One that it couldn't read makes it fail at the end, and has no line.
func (d digester) sums(ctx context.Context, paths []string) ([]sum, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	var said []byte
	err := run(ctx, d.f.host.starter, digest, func(out io.Writer) error {
		if err := d.f.enter(out, nil); err != nil {
			return err
		}
		return names(out, paths)
	}, func(r io.Reader) error {
		most := int64(2 * maxNoise)
		for _, path := range paths {
			most += 32 + 4*int64(len(path))
		}
		in, err := afterMarker(io.LimitReader(r, most))
		if err != nil {
			return err
		}
		said, err = io.ReadAll(in)
		return err
	})
	var exit *remote.ExitError
	if errors.As(err, &exit) {
		if exit.Status < 0 || exit.Status == exitFolder {
			return nil, d.f.failed(ctx, 0, "open", err)
		}
	} else if err != nil {
		return nil, err
	}
	return parseSums(said, paths), nil
}

// parseSums finds the line of each of paths, in their order: 16 hex digits, two spaces and the name, or a backslash before
// all of it where the name has a backslash or newline that is escaped (not all versions do).
func parseSums(said []byte, paths []string) []sum {
	escape := strings.NewReplacer("\\", "\\\\", "\n", "\\n", "\r", "\\r")
	sums := make([]sum, len(paths))
	for i, path := range paths {
		name := "./" + path
		rest, value, ok := cutSum(said, name)
		if escaped, is := bytes.CutPrefix(said, []byte("\\")); !ok && is {
			rest, value, ok = cutSum(escaped, escape.Replace(name))
		}
		if ok {
			said, sums[i] = rest, sum{value, true}
		}
	}
	return sums
}

func cutSum(said []byte, name string) (rest []byte, value uint64, ok bool) {
	if len(said) < 16 {
		return nil, 0, false
	}
	value, err := strconv.ParseUint(string(said[:16]), 16, 64)
	if err != nil {
		return nil, 0, false
	}
	rest, ok = bytes.CutPrefix(said[16:], []byte("  "+name+"\n"))
	return rest, value, ok
}
