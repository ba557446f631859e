package zipfirst

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"time"
	"unicode/utf8"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/manifest"
)

// Of the format, see PKWARE's APPNOTE.TXT 6.3.10, and Info-ZIP's extrafld.txt for the time.
const (
	localSignature     = 0x04034b50
	centralSignature   = 0x02014b50
	endSignature       = 0x06054b50
	end64Signature     = 0x06064b50
	locator64Signature = 0x07064b50

	versionFile   = 10
	versionFolder = 20
	version64     = 45
	madeOnUnix    = 3 << 8
	utf8Names     = 1 << 11

	extra64   = 0x0001
	extraTime = 0x5455 // "UT"
	// extraOwn aligns an entry. It holds a byte of flags and padding, and nothing that a reader needs to know.
	extraOwn = 0x654b // "Ke"

	localLength     = 30
	extra64Length   = 4 + 16
	extraTimeLength = 4 + 5
	extraOwnLength  = 4 + 1

	crcAt      = 14 // in a local header
	longName   = math.MaxUint16
	limit32    = math.MaxUint32 // a value from here on stands in the zip64 extra
	limitCount = math.MaxUint16
)

// alignedFrom is the size from which on a file's bytes begin at a multiple of alignment in the archive, so that its holes
// can be holes there too, and a storage can share its blocks when it is unpacked.
const (
	alignedFrom = 64 << 10
	alignment   = 4 << 10
)

// entryName is what record is called in the archive.
func entryName(r *manifest.Record) string {
	if r.Type == endpoint.Folder {
		return r.Path + "/"
	}
	return r.Path
}

// contentSize is how many bytes the archive holds for record: those of a file, or a link's target.
func contentSize(r *manifest.Record) int64 {
	switch r.Type {
	case endpoint.File:
		return r.Size
	case endpoint.Symlink:
		return int64(len(r.Target))
	default:
		return 0
	}
}

// aligned reports whether record's bytes begin at a multiple of alignment.
func aligned(r *manifest.Record) bool { return r.Type == endpoint.File && r.Size >= alignedFrom }

// headerLength is that of record's local header at an offset of the archive.
func headerLength(r *manifest.Record, at int64) int64 {
	length := fixedLength(r)
	if aligned(r) {
		length += extraOwnLength
		length += -(at + length) & (alignment - 1)
	}
	return length
}

// fixedLength is that of what comes before a local header's own extra.
func fixedLength(r *manifest.Record) int64 {
	length := int64(localLength + len(r.Path))
	if r.Type == endpoint.Folder {
		length++
	}
	if contentSize(r) >= limit32 {
		length += extra64Length
	}
	if _, ok := unixTime(r.ModAt); ok {
		length += extraTimeLength
	}
	return length
}

// appendLocal appends the local header of record, which is to lie at an offset of the archive. It depends on nothing else,
// so that whoever reads the archive knows each byte it must find there. CRC is that of record.Packed.
func appendLocal(b []byte, r *manifest.Record, at int64, holes bool) []byte {
	length, size := headerLength(r, at), contentSize(r)
	name := entryName(r)
	b = le32(b, localSignature)
	b = appendCommon(b, r, size)
	b = le16(b, uint16(len(name)))
	b = le16(b, uint16(length-localLength-int64(len(name))))
	b = append(b, name...)
	if size >= limit32 {
		b = le64(le64(le16(le16(b, extra64), extra64Length-4), uint64(size)), uint64(size))
	}
	b = appendTime(b, r.ModAt)
	if !aligned(r) {
		return b
	}
	padding := int(length-fixedLength(r)) - extraOwnLength
	b = le16(le16(b, extraOwn), uint16(1+padding))
	b = append(b, flags(holes))
	return append(b, make([]byte, padding)...)
}

func flags(holes bool) byte {
	if holes {
		return 1
	}
	return 0
}

// saysHoles reports whether record's local header says that the source had holes.
func saysHoles(header []byte, r *manifest.Record) bool {
	return aligned(r) && header[fixedLength(r)+extraOwnLength-1] == flags(true)
}

// appendCommon appends what local and central headers share: from the version that is needed to the sizes.
func appendCommon(b []byte, r *manifest.Record, size int64) []byte {
	version, stored := uint16(versionFile), uint32(min(size, limit32))
	switch {
	case size >= limit32:
		version = version64
	case r.Type == endpoint.Folder:
		version = versionFolder
	}
	var crc uint32
	if r.Packed != nil {
		crc = r.Packed.CRC
	}
	day, clock := dosTime(r.ModAt)
	b = le16(le16(b, version), nameFlags(r.Path))
	b = le16(b, 0) // stored
	b = le16(le16(b, clock), day)
	return le32(le32(le32(b, crc), stored), stored)
}

func nameFlags(name string) uint16 {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			if utf8.ValidString(name) {
				return utf8Names
			}
			break
		}
	}
	return 0
}

// appendTime appends the time of modification in whole seconds, where every reader takes them for the same.
func appendTime(b []byte, t time.Time) []byte {
	seconds, ok := unixTime(t)
	if !ok {
		return b
	}
	b = le16(le16(b, extraTime), extraTimeLength-4)
	return le32(append(b, 1), seconds) // 1: it is the time of modification that follows
}

// unixTime: Info-ZIP takes the 32 bits as signed, others as unsigned.
func unixTime(t time.Time) (uint32, bool) {
	seconds := t.Unix()
	return uint32(seconds), seconds >= 0 && seconds <= math.MaxInt32
}

// dosTime is the nearest time that DOS has, as in UTC.
func dosTime(t time.Time) (day, clock uint16) {
	t = t.UTC()
	if first := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC); t.Before(first) {
		t = first
	}
	if last := time.Date(2107, 12, 31, 23, 59, 58, 0, time.UTC); t.After(last) {
		t = last
	}
	day = uint16(t.Year()-1980)<<9 | uint16(t.Month())<<5 | uint16(t.Day())
	return day, uint16(t.Hour())<<11 | uint16(t.Minute())<<5 | uint16(t.Second()/2)
}

func setCRC(local []byte, crc uint32) { binary.LittleEndian.PutUint32(local[crcAt:], crc) }

func crcOf(content []byte) uint32 { return crc32.ChecksumIEEE(content) }

func le16(b []byte, v uint16) []byte { return binary.LittleEndian.AppendUint16(b, v) }
func le32(b []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(b, v) }
func le64(b []byte, v uint64) []byte { return binary.LittleEndian.AppendUint64(b, v) }
