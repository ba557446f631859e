package manifest

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
)

func records() []Record {
	when := time.Unix(1700000000, 123456789)
	return []Record{
		{Path: "top/file", Type: endpoint.File, Size: 5, Mode: 0o4644, ModAt: when, Hashed: true, Digest: 0xabc, Inode: 7},
		{Path: "top/\xff\xfe\n", Type: endpoint.File, Mode: 0, ModAt: time.Unix(-5, 1), Inode: 1 << 63},
		{Path: "top/link", Type: endpoint.Symlink, Size: 3, Mode: 0o777, ModAt: when, Target: "\xc3("},
		{Path: "top/“é”\\\u2028<&>", Type: endpoint.File, ModAt: time.Unix(1<<40, 0)},
		{Path: "top/" + strings.Repeat("deep/", 50_000) + "x", Type: endpoint.File, ModAt: when},
		{Path: "top", Type: endpoint.Folder, Mode: 0o2755, ModAt: when},
	}
}

func written(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b)
	for _, r := range records() {
		if err := w.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	end, err := w.End(endpoint.Info{Device: 3, Inode: 4})
	if err != nil {
		t.Fatal(err)
	}
	if want := (End{Files: 5, Folders: 1, Bytes: 8, Device: 3, Inode: 4}); end != want {
		t.Errorf("end is %+v", end)
	}
	return b.Bytes()
}

func read(raw []byte) ([]Record, End, error) {
	r := NewReader(bytes.NewReader(raw))
	var all []Record
	for {
		record, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all, r.End(), nil
		}
		if err != nil {
			return all, End{}, err
		}
		all = append(all, record)
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	got, end, err := read(written(t))
	if err != nil || end.Inode != 4 {
		t.Fatal(end, err)
	}
	for i, want := range records() {
		if !got[i].ModAt.Equal(want.ModAt) {
			t.Errorf("%q: time is %v, want %v", want.Path, got[i].ModAt, want.ModAt)
		}
		got[i].ModAt = want.ModAt
		if got[i] != want {
			t.Errorf("got %+v, want %+v", got[i], want)
		}
	}
}

func TestAManifestCutAnywhereIsCutShort(t *testing.T) {
	t.Parallel()
	whole := written(t)
	for _, n := range []int{0, 1, 100, len(whole) / 2, len(whole) - 60, len(whole) - 1} {
		if _, _, err := read(whole[:n]); err == nil {
			t.Errorf("%d of %d bytes were read as a whole manifest", n, len(whole))
		}
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	if _, _, err := read(bytes.Join(lines[1:], nil)); !errors.Is(err, ErrTruncated) {
		t.Errorf("without its first line: %v", err)
	}
}

func TestNamesThatLeadOutAreNeitherWrittenNorRead(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "/", "/a", "a/", "a//b", "../a", "a/..", ".", "a/./b", "a\x00"} {
		if err := NewWriter(io.Discard).Add(Record{Path: path}); err == nil {
			t.Errorf("%q was written", path)
		}
		line := bytes.Replace(written(t), []byte(`"top/file"`), []byte(`"`+strings.ReplaceAll(path, "\x00", `\u0000`)+`"`), 1)
		if _, _, err := read(line); !errors.Is(err, errMalformed) {
			t.Errorf("%q was read: %v", path, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(`{"path":"a","type":"file","mode":"644","mtime":1,"mtime_ns":2,"inode":3}` + "\n" +
		`{"end":{"files":1,"folders":0,"bytes":0,"device":0,"inode":0}}` + "\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		all, _, err := read(raw)
		if err != nil {
			return
		}
		w := NewWriter(io.Discard)
		for _, r := range all {
			if err := w.Add(r); err != nil {
				t.Errorf("%+v was read but can't be written: %v", r, err)
			}
		}
	})
}
