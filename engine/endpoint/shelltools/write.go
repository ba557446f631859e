package shelltools

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"syscall"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/remote"
)

// enter writes what the beginning of a script reads: the folder, and if there are any (not nil), the folders to make.
func (f *folder) enter(out io.Writer, ways []string) error {
	b := appendLine(nil, f.path)
	for _, way := range ways {
		b = appendLine(b, "./"+way)
	}
	if ways != nil {
		b = appendLine(b, "")
	}
	_, err := out.Write(b)
	return err
}

// names writes the names of paths for a tool that takes them NUL-separated.
func names(out io.Writer, paths []string) error {
	for _, path := range paths {
		if _, err := io.WriteString(out, "./"+path+"\x00"); err != nil {
			return err
		}
	}
	return nil
}

// writable looks, for tools that would silently leave out what exists, whether any of items does.
func (f *folder) writable(ctx context.Context, items []endpoint.Item, silent bool) error {
	if !silent {
		return nil
	}
	looked, err := f.look(ctx, paths(items))
	if err != nil {
		return err
	}
	for i, item := range items {
		if looked[i].err == nil && item.Type != endpoint.Folder {
			return &endpoint.BulkError{Index: i, Op: op(item), Err: syscall.EEXIST}
		}
	}
	return nil
}

func paths(items []endpoint.Item) []string {
	all := make([]string, len(items))
	for i, item := range items {
		all[i] = item.Path
	}
	return all
}

// attributes sets, by hand, what needs tells of each item: innermost first, since a folder's mode may bar the way.
func (f *folder) attributes(ctx context.Context, items []endpoint.Item, needs func(item endpoint.Item) (mode, time bool)) error {
	levels := map[int][]int{}
	for i, item := range items {
		if mode, time := needs(item); mode || time {
			depth := strings.Count(item.Path, "/")
			levels[depth] = append(levels[depth], i)
		}
	}
	for _, depth := range slices.Backward(slices.Sorted(maps.Keys(levels))) {
		level := levels[depth]
		err := f.each(ctx, len(level), func(find *tree.Finder, i int) error {
			mode, time := needs(items[level[i]])
			return f.attribute(find, level[i], items[level[i]], mode, time)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *folder) attribute(find *tree.Finder, i int, item endpoint.Item, mode, time bool) error {
	dir, name, err := find.Find(item.Path)
	if err != nil {
		return &endpoint.BulkError{Index: i, Op: "set attributes", Err: err}
	}
	if mode {
		if err := dir.SetMode(name, f.host.mode(item)); err != nil {
			return &endpoint.BulkError{Index: i, Op: "set mode", Err: err}
		}
	}
	if !time {
		return nil
	}
	if err := dir.SetModTime(name, item.ModAt); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return &endpoint.BulkError{Index: i, Op: "set time", Err: err}
	}
	return nil
}

// sync makes items durable, if it is wanted.
func (f *folder) sync(ctx context.Context, items []endpoint.Item, wanted bool) error {
	if !wanted {
		return nil
	}
	script := syncFiles
	if f.host.tools.Sync == "all" {
		script = syncAll
	}
	durable := []string{}
	for _, item := range items {
		if item.Type != endpoint.Symlink {
			durable = append(durable, item.Path)
		}
	}
	if len(durable) == 0 {
		return nil
	}
	err := run(ctx, f.host.starter, script, func(out io.Writer) error {
		if err := f.enter(out, nil); err != nil {
			return err
		}
		return names(out, durable)
	}, discard)
	return f.failed(ctx, 0, "sync", err)
}

// failed is the error of a program that worked on what exists.
func (f *folder) failed(ctx context.Context, index int, op string, err error) error {
	var exit *remote.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil || !errors.As(err, &exit):
		return err
	case exit.Status == exitFolder:
		return &endpoint.BulkError{Index: index, Op: op, Err: f.gone(err)}
	}
	return &endpoint.BulkError{Index: index, Op: op, Err: caused(syscall.EIO, err)}
}

// gone is the error of a folder that a program didn't find.
func (f *folder) gone(cause error) error {
	if _, err := f.Info(); err != nil {
		return err
	}
	return caused(syscall.ENOENT, cause) // for programs; or a link leads there
}

// caused is err, with what the program said for the log; err alone decides.
func caused(err, said error) error { return &causedError{err, said} }

type causedError struct{ err, said error }

func (e *causedError) Error() string { return fmt.Sprintf("%v (%v)", e.err, e.said) }
func (e *causedError) Unwrap() error { return e.err }

// indexOf returns the first of items that is of type t.
func indexOf(items []endpoint.Item, t endpoint.Type) int {
	for i, item := range items {
		if item.Type == t {
			return i
		}
	}
	return 0
}
