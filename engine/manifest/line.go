package manifest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
)

// line is any line of a manifest as it is written. Names are strings where they are UTF-8, else base64 of their bytes.
type line struct {
	Path      string      `json:"path,omitempty"`
	PathRaw   []byte      `json:"path_base64,omitempty"`
	Type      string      `json:"type,omitempty"`
	Size      int64       `json:"size,omitempty"`
	Mode      string      `json:"mode,omitempty"` // octal
	ModAt     int64       `json:"mtime"`          // seconds since 1970
	ModNanos  int64       `json:"mtime_ns"`       // and nanoseconds
	Digest    string      `json:"xxh64,omitempty"`
	Target    string      `json:"target,omitempty"`
	TargetRaw []byte      `json:"target_base64,omitempty"`
	Inode     uint64      `json:"inode"`
	Linked    bool        `json:"linked,omitempty"`
	Device    uint64      `json:"device,omitempty"`
	Xattrs    []xattrLine `json:"xattrs,omitempty"`
	Packed    *Packed     `json:"packed,omitempty"`

	Partial *partialLine `json:"partial,omitempty"`
	Begin   *Begin       `json:"begin,omitempty"`
	Synced  *int64       `json:"synced,omitempty"`
	End     *End         `json:"end,omitempty"`
}

type xattrLine struct {
	Name    string `json:"name,omitempty"`
	NameRaw []byte `json:"name_base64,omitempty"`
	Value   []byte `json:"value"`
}

type partialLine struct {
	Offset int64  `json:"offset"`
	State  []byte `json:"state,omitempty"`
}

var typeNames = [...]string{endpoint.File: "file", endpoint.Folder: "folder", endpoint.Symlink: "symlink"}

// appendRecord writes by hand what encoding/json would write of line: a manifest has one line a file.
func appendRecord(b []byte, r *Record) ([]byte, error) {
	if !tree.Local(r.Path) || r.Type > endpoint.Symlink {
		return nil, fmt.Errorf("manifest: can't record %q", r.Path)
	}
	b = appendName(append(b, '{'), "path", r.Path)
	b = append(append(append(b, `,"type":"`...), typeNames[r.Type]...), '"')
	b = strconv.AppendInt(append(b, `,"size":`...), r.Size, 10)
	b = append(strconv.AppendUint(append(b, `,"mode":"`...), uint64(r.Mode), 8), '"')
	b = strconv.AppendInt(append(b, `,"mtime":`...), r.ModAt.Unix(), 10)
	b = strconv.AppendInt(append(b, `,"mtime_ns":`...), int64(r.ModAt.Nanosecond()), 10)
	if r.Hashed {
		b = append(appendHex(append(b, `,"xxh64":"`...), r.Digest), '"')
	}
	if r.Type == endpoint.Symlink {
		b = appendName(append(b, ','), "target", r.Target)
	}
	b = strconv.AppendUint(append(b, `,"inode":`...), r.Inode, 10)
	if r.Linked {
		b = strconv.AppendUint(append(b, `,"linked":true,"device":`...), r.Device, 10)
	}
	if len(r.Xattrs) > 0 {
		b = appendJSON(b, "xattrs", xattrLines(r.Xattrs))
	}
	if r.Packed != nil {
		b = appendJSON(b, "packed", r.Packed)
	}
	return append(b, "}\n"...), nil
}

// appendPartial writes a record of a file that is not done, and how far it is.
func appendPartial(b []byte, p *Partial) ([]byte, error) {
	b, err := appendRecord(b, &p.Record)
	if err != nil {
		return nil, err
	}
	b = appendJSON(b[:len(b)-len("}\n")], "partial", partialLine{p.Offset, p.State})
	return append(b, "}\n"...), nil
}

func xattrLines(attributes []endpoint.Xattr) []xattrLine {
	lines := make([]xattrLine, len(attributes))
	for i, a := range attributes {
		lines[i].Value = a.Value
		if utf8.ValidString(a.Name) {
			lines[i].Name = a.Name
		} else {
			lines[i].NameRaw = []byte(a.Name)
		}
	}
	return lines
}

// appendJSON adds a member to an object; its value is one that can't fail.
func appendJSON(b []byte, key string, value any) []byte {
	raw, _ := json.Marshal(value)
	return append(append(append(append(b, `,"`...), key...), `":`...), raw...)
}

func appendHex(b []byte, v uint64) []byte {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, digits[v>>shift&0xf])
	}
	return b
}

func appendName(b []byte, key, name string) []byte {
	b = append(append(b, '"'), key...)
	switch {
	case isPlain(name):
		return append(append(append(b, `":"`...), name...), '"')
	case utf8.ValidString(name):
		value, _ := json.Marshal(name) // a string can't fail
		return append(append(b, `":`...), value...)
	default:
		b = base64.StdEncoding.AppendEncode(append(b, `_base64":"`...), []byte(name))
		return append(b, '"')
	}
}

// isPlain reports whether name stands in JSON as it is.
func isPlain(name string) bool {
	for i := range len(name) {
		if c := name[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

var errMalformed = errors.New("manifest: malformed line")

func parse(raw []byte) (*line, error) {
	var l line
	if err := json.Unmarshal(raw, &l); err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return &l, nil
}

func (l *line) record() (Record, error) {
	r := Record{Path: l.Path + string(l.PathRaw), Size: l.Size, ModAt: time.Unix(l.ModAt, l.ModNanos),
		Target: l.Target + string(l.TargetRaw), Inode: l.Inode, Linked: l.Linked, Device: l.Device, Packed: l.Packed}
	for _, a := range l.Xattrs {
		r.Xattrs = append(r.Xattrs, endpoint.Xattr{Name: a.Name + string(a.NameRaw), Value: a.Value})
	}
	switch l.Type {
	case "file":
		r.Type = endpoint.File
	case "folder":
		r.Type = endpoint.Folder
	case "symlink":
		r.Type = endpoint.Symlink
	default:
		return Record{}, errMalformed
	}
	mode, err := strconv.ParseUint(l.Mode, 8, 12)
	if err != nil || !tree.Local(r.Path) || r.Size < 0 || l.ModNanos < 0 || l.ModNanos > 999_999_999 {
		return Record{}, errMalformed
	}
	r.Mode = uint32(mode)
	if l.Digest != "" {
		r.Hashed = true
		if r.Digest, err = strconv.ParseUint(l.Digest, 16, 64); err != nil {
			return Record{}, errMalformed
		}
	}
	if r.Packed != nil && r.Packed.Offset < 0 {
		return Record{}, errMalformed
	}
	return r, nil
}
