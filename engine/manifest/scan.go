package manifest

import (
	"bytes"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
)

// scan reads a record that looks exactly as appendRecord writes most of them. Anything else it leaves to encoding/json,
// which takes ten times as long.
func scan(raw []byte) (r Record, ok bool) {
	s := scanner{rest: raw}
	s.literal(`{"path":"`)
	r.Path = s.text()
	s.literal(`,"type":"`)
	name := s.text()
	s.literal(`,"size":`)
	r.Size = int64(s.number(10))
	s.literal(`,"mode":"`)
	r.Mode = uint32(s.number(8))
	s.literal(`","mtime":`)
	seconds := int64(s.number(10))
	s.literal(`,"mtime_ns":`)
	nanos := int64(s.number(10))
	if s.optional(`,"xxh64":"`) {
		r.Hashed, r.Digest = true, s.number(16)
		s.literal(`"`)
	}
	s.literal(`,"inode":`)
	r.Inode = s.number(10)
	if s.optional(`,"packed":{"offset":`) {
		r.Packed = &Packed{Offset: int64(s.number(10))}
		s.literal(`,"crc32":`)
		r.Packed.CRC = uint32(s.number(10))
		s.literal("}")
	}
	s.literal("}\n")
	switch name {
	case "file":
	case "folder":
		r.Type = endpoint.Folder
	default:
		return r, false
	}
	r.ModAt = time.Unix(seconds, nanos)
	return r, !s.failed && len(s.rest) == 0 && r.Mode <= 0o7777 && r.Size >= 0 && nanos <= 999_999_999 && tree.Local(r.Path)
}

// scanner takes one thing after the other, until one isn't there.
type scanner struct {
	rest   []byte
	failed bool
}

func (s *scanner) literal(want string) {
	if !s.optional(want) {
		s.failed = true
	}
}

func (s *scanner) optional(want string) bool {
	if len(s.rest) < len(want) || string(s.rest[:len(want)]) != want {
		return false
	}
	s.rest = s.rest[len(want):]
	return true
}

// text takes a string to its closing quote, if it holds nothing but what stands for itself.
func (s *scanner) text() string {
	end := bytes.IndexByte(s.rest, '"')
	if end < 0 {
		s.failed = true
		return ""
	}
	text := string(s.rest[:end])
	s.rest = s.rest[end+1:]
	if !isPlain(text) {
		s.failed = true
	}
	return text
}

// number takes up to 16 hexadecimal, 18 decimal or 18 octal digits, which can't overflow.
func (s *scanner) number(base uint64) uint64 {
	var value uint64
	digits := 0
	for ; digits < len(s.rest) && digits < 19; digits++ {
		d := digit(s.rest[digits])
		if d >= base {
			break
		}
		value = value*base + d
	}
	if digits == 0 || digits > 18 || base == 16 && digits != 16 {
		s.failed = true
	}
	s.rest = s.rest[digits:]
	return value
}

func digit(c byte) uint64 {
	switch {
	case c >= '0' && c <= '9':
		return uint64(c - '0')
	case c >= 'a' && c <= 'f':
		return uint64(c-'a') + 10
	default:
		return 99
	}
}
