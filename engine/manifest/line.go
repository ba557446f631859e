package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
)

// line is a Record as it is written. Names are strings where they are UTF-8, else base64 of their bytes.
type line struct {
	Path      string `json:"path,omitempty"`
	PathRaw   []byte `json:"path_base64,omitempty"`
	Type      string `json:"type,omitempty"`
	Size      int64  `json:"size,omitempty"`
	Mode      string `json:"mode,omitempty"` // octal
	ModAt     int64  `json:"mtime"`          // seconds since 1970
	ModNanos  int64  `json:"mtime_ns"`       // and nanoseconds
	Digest    string `json:"xxh64,omitempty"`
	Target    string `json:"target,omitempty"`
	TargetRaw []byte `json:"target_base64,omitempty"`
	Inode     uint64 `json:"inode"`
	End       *End   `json:"end,omitempty"`
}

func typeName(t endpoint.Type) string {
	switch t {
	case endpoint.Folder:
		return "folder"
	case endpoint.Symlink:
		return "symlink"
	default:
		return "file"
	}
}

// appendRecord writes by hand what encoding/json would write of line: a manifest has one line a file.
func appendRecord(b []byte, r Record) ([]byte, error) {
	if !tree.Local(r.Path) || r.Type > endpoint.Symlink {
		return nil, fmt.Errorf("manifest: can't record %q", r.Path)
	}
	b = appendName(append(b, '{'), "path", r.Path)
	b = append(append(append(b, `,"type":"`...), typeName(r.Type)...), '"')
	b = strconv.AppendInt(append(b, `,"size":`...), r.Size, 10)
	b = append(strconv.AppendUint(append(b, `,"mode":"`...), uint64(r.Mode), 8), '"')
	b = strconv.AppendInt(append(b, `,"mtime":`...), r.ModAt.Unix(), 10)
	b = strconv.AppendInt(append(b, `,"mtime_ns":`...), int64(r.ModAt.Nanosecond()), 10)
	if r.Hashed {
		b = fmt.Appendf(b, `,"xxh64":"%016x"`, r.Digest)
	}
	if r.Type == endpoint.Symlink {
		b = appendName(append(b, ','), "target", r.Target)
	}
	b = strconv.AppendUint(append(b, `,"inode":`...), r.Inode, 10)
	return append(b, "}\n"...), nil
}

func appendName(b []byte, key, name string) []byte {
	var value []byte
	if utf8.ValidString(name) {
		value, _ = json.Marshal(name) // a string can't fail
	} else {
		key += "_base64"
		value, _ = json.Marshal([]byte(name))
	}
	b = append(append(append(b, '"'), key...), `":`...)
	return append(b, value...)
}

var errMalformed = errors.New("manifest: malformed line")

func parse(raw []byte) (Record, *End, error) {
	var l line
	if err := json.Unmarshal(raw, &l); err != nil {
		return Record{}, nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	if l.End != nil {
		return Record{}, l.End, nil
	}
	r := Record{Path: l.Path + string(l.PathRaw), Size: l.Size, ModAt: time.Unix(l.ModAt, l.ModNanos),
		Target: l.Target + string(l.TargetRaw), Inode: l.Inode}
	switch l.Type {
	case "file":
		r.Type = endpoint.File
	case "folder":
		r.Type = endpoint.Folder
	case "symlink":
		r.Type = endpoint.Symlink
	default:
		return Record{}, nil, errMalformed
	}
	mode, err := strconv.ParseUint(l.Mode, 8, 12)
	if err != nil || !tree.Local(r.Path) || r.Size < 0 || l.ModNanos < 0 || l.ModNanos > 999_999_999 {
		return Record{}, nil, errMalformed
	}
	r.Mode = uint32(mode)
	if l.Digest != "" {
		r.Hashed = true
		if r.Digest, err = strconv.ParseUint(l.Digest, 16, 64); err != nil {
			return Record{}, nil, errMalformed
		}
	}
	return r, nil, nil
}
