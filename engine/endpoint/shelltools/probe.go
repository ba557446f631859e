package shelltools

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/ketter/ketter/engine/remote"
)

// Tools are what a host has.
type Tools struct {
	Tar      string // "gnu", "bsd" or "busybox"; empty for none
	Unzip    bool   // Info-ZIP's
	XXH64Sum bool   // and an xargs that takes NUL-separated names
	Sync     string // "files" (GNU), "all" (everything on the host); empty where there is no way: WriteAll can't sync then
	System   string // as uname says

	umask uint32
}

// Names says which tools would be used, in the words of an event.
func (t Tools) Names() []string {
	names := []string{}
	switch {
	case t.Tar != "":
		names = append(names, t.Tar+" tar")
	case t.Unzip:
		names = append(names, "unzip")
	}
	if t.XXH64Sum {
		names = append(names, "xxh64sum")
	}
	return names
}

// maxNoise is how much an account's shell may say before a command's own output begins.
const maxNoise = 64 << 10

// Probe finds out which tools the host has. An account that may start no commands has none: that is no error.
func Probe(ctx context.Context, starter remote.Starter) (Tools, error) {
	var said []byte
	err := run(ctx, starter, probe, nil, func(r io.Reader) (err error) {
		said, err = io.ReadAll(io.LimitReader(r, maxNoise))
		return err
	})
	var exit *remote.ExitError
	if errors.Is(err, remote.ErrRefused) || errors.As(err, &exit) {
		return Tools{}, nil
	}
	if err != nil {
		return Tools{}, err
	}
	return parseTools(said), nil
}

// parseTools finds the line that probe prints; what isn't exactly one has no tools.
func parseTools(said []byte) Tools {
	i := bytes.LastIndex(said, []byte("\nKETTER-TOOLS "))
	if i < 0 {
		return Tools{}
	}
	first, _, whole := strings.Cut(string(said[i+1:]), "\n")
	fields := strings.Split(first, " ")
	if !whole || len(fields) != 7 {
		return Tools{}
	}
	tools, ok := Tools{}, true
	field := func(i int, key string, known ...string) string {
		value, found := strings.CutPrefix(fields[i], key+"=")
		for _, k := range known {
			if found && value == k {
				return value
			}
		}
		ok = ok && found && len(known) == 0
		return value
	}
	tools.Tar = strings.TrimSuffix(field(1, "tar", "none", "gnu", "bsd", "busybox"), "none")
	tools.Unzip = field(2, "unzip", "0", "1") == "1"
	tools.XXH64Sum = field(3, "xxh64sum", "0", "1") == "1"
	tools.Sync = strings.TrimSuffix(field(4, "sync", "none", "all", "files"), "none")
	umask, err := strconv.ParseUint(field(5, "umask"), 8, 12)
	tools.umask = uint32(umask) & 0o777
	tools.System = field(6, "uname")
	if !ok || err != nil || !plain(tools.System) || len(tools.System) > 64 {
		return Tools{}
	}
	return tools
}
