package shelltools

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ketter/ketter/engine/endpoint"
)

// unzipStep is how finely unzip sets times.
const unzipStep = time.Second

// zippable refuses what unzip can't bring as it is: links; names with control characters, bytes that are no UTF-8,
// backslashes, and semicolons (versions of VMS); times that its extra field can't hold. Fractions of seconds only count
// where they could be kept: exact.
func zippable(item endpoint.Item, exact bool) error {
	seconds := item.ModAt.Unix()
	switch {
	case item.Type == endpoint.Symlink:
		return unsupported("links")
	case !utf8.ValidString(item.Path) || strings.ContainsFunc(item.Path, func(r rune) bool {
		return !unicode.IsPrint(r) || r == '\\' || r == ';'
	}):
		return unsupported("this name")
	case item.Type == endpoint.File && (seconds < 0 || seconds > math.MaxInt32 || exact && item.ModAt.Nanosecond() != 0):
		return unsupported("this time")
	}
	return nil
}

// zip writes files as an archive of Unix: their bytes as they are, modes in the attributes, times in the extra field
// "UT". Names have no flag of being UTF-8, so that unzip takes them for bytes, whatever the account's locale.
func (h *host) zip(out io.Writer, files []endpoint.Item) error {
	buffer := bufio.NewWriterSize(out, 256<<10)
	archive := zip.NewWriter(buffer)
	for _, item := range files {
		w, err := archive.CreateRaw(&zip.FileHeader{
			Name: item.Path, Method: zip.Store, CreatorVersion: 3<<8 | 20, ReaderVersion: 20,
			CRC32: crc32.ChecksumIEEE(item.Data), CompressedSize64: uint64(len(item.Data)), UncompressedSize64: uint64(len(item.Data)),
			ExternalAttrs: (0o100000 | h.mode(item)) << 16, Extra: unixTime(item.ModAt),
		})
		if err != nil {
			return err
		}
		if _, err := w.Write(item.Data); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return buffer.Flush()
}

// unixTime is the extra field "UT" of Info-ZIP, with nothing but the modification time.
func unixTime(t time.Time) []byte {
	extra := []byte{'U', 'T', 5, 0, 1}
	return binary.LittleEndian.AppendUint32(extra, uint32(t.Unix()))
}
