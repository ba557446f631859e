package manifest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"reflect"
	"slices"
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
		{Path: "top/packed", Type: endpoint.File, Size: 9, Mode: 0o644, ModAt: when, Inode: 8, Packed: &Packed{1 << 40, 1 << 31}},
		{Path: "top/named", Type: endpoint.File, ModAt: when, Linked: true, Device: 9,
			Xattrs: []endpoint.Xattr{{Name: "user.take", Value: []byte{0, 255}}, {Name: "user.\xff", Value: []byte{}}}},
		{Path: "top", Type: endpoint.Folder, Mode: 0o2755, ModAt: when},
	}
}

func written(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := begun(t, &b)
	for _, r := range records() {
		if err := w.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	end, err := w.End(endpoint.Info{Device: 3, Inode: 4})
	if err != nil {
		t.Fatal(err)
	}
	if want := (End{Files: 7, Folders: 1, Bytes: 17, Device: 3, Inode: 4}); end != want {
		t.Errorf("end is %+v", end)
	}
	return b.Bytes()
}

func begun(t *testing.T, out io.Writer) *Writer {
	t.Helper()
	w, err := NewWriter(out, Begin{Epoch: "now"})
	if err != nil {
		t.Fatal(err)
	}
	return w
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
		if !reflect.DeepEqual(got[i], want) {
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
	if _, _, err := read(bytes.Join(slices.Delete(lines, 1, 2), nil)); !errors.Is(err, ErrTruncated) {
		t.Errorf("without its first record: %v", err)
	}
}

func TestNamesThatLeadOutAreNeitherWrittenNorRead(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "/", "/a", "a/", "a//b", "../a", "a/..", ".", "a/./b", "a\x00"} {
		if err := begun(t, io.Discard).Add(Record{Path: path}); err == nil {
			t.Errorf("%q was written", path)
		}
		line := bytes.Replace(written(t), []byte(`"top/file"`), []byte(`"`+strings.ReplaceAll(path, "\x00", `\u0000`)+`"`), 1)
		if _, _, err := read(line); !errors.Is(err, errMalformed) {
			t.Errorf("%q was read: %v", path, err)
		}
	}
}

// TestProvenIsOnlyWhatAStopOfTheMachineCantHaveLost reads a manifest that was cut short, in its own epoch and in another.
func TestProvenIsOnlyWhatAStopOfTheMachineCantHaveLost(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := begun(t, &b)
	add := func(path string) {
		if err := w.Add(Record{Path: path}); err != nil {
			t.Fatal(err)
		}
	}
	partial := func(path string, offset int64) {
		if err := w.AddPartial(Partial{Record: Record{Path: path, Size: 100}, Offset: offset, State: []byte("s")}); err != nil {
			t.Fatal(err)
		}
	}
	add("before")
	partial("large", 10)
	partial("done", 10)
	lines, err := w.Lines()
	if err == nil {
		err = w.Synced(lines)
	}
	if err != nil {
		t.Fatal(err)
	}
	add("after")
	add("done")
	partial("late", 20)
	if _, err := w.Lines(); err != nil {
		t.Fatal(err)
	}
	s, err := Summarise(strings.NewReader(b.String() + `{"path":"cut`))
	if err != nil || s.End != nil {
		t.Fatalf("%+v, %v", s, err)
	}
	for line, proven := range map[int64]bool{2: true, 4: true, 6: false, 7: false} {
		if s.Proven(line, "another") != proven || !s.Proven(line, "now") {
			t.Errorf("line %d: %v in another epoch, %v in its own", line, s.Proven(line, "another"), s.Proven(line, "now"))
		}
	}
	for path, want := range map[string][2]int64{"large": {10, 10}, "done": {0, 0}, "late": {20, 0}} {
		for i, epoch := range []string{"now", "another"} {
			if p, _ := s.Partial(path, epoch); p.Offset != want[i] && want[i] > 0 {
				t.Errorf("%s in %s: %d, want %d", path, epoch, p.Offset, want[i])
			}
			if _, ok := s.Partial(path, epoch); ok != (want[i] > 0) {
				t.Errorf("%s in %s: %v", path, epoch, ok)
			}
		}
	}
}

func TestACopyRunsWithNobodysRightsButItsOwnersOwn(t *testing.T) {
	t.Parallel()
	mine := endpoint.Info{Mode: 0o6755, Owner: uint32(os.Geteuid()), Group: uint32(os.Getegid())}
	theirs := mine
	theirs.Owner++
	theirs.Group++
	folder := theirs
	folder.Type = endpoint.Folder
	for want, info := range map[uint32]endpoint.Info{0o6755: mine, 0o755: theirs} {
		if got := Of("a", info).Mode; got != want {
			t.Errorf("mode is %o, want %o", got, want)
		}
	}
	if got := Of("a", folder).Mode; got != 0o6755 {
		t.Errorf("a folder's mode is %o", got)
	}
}

// TestScanAgreesWithJSON reads each line both ways.
func TestScanAgreesWithJSON(t *testing.T) {
	t.Parallel()
	scanned := 0
	for raw := range bytes.Lines(written(t)) {
		fast, ok := scan(raw)
		if !ok {
			continue
		}
		scanned++
		l, err := parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if slow, err := l.record(); err != nil || !reflect.DeepEqual(fast, slow) {
			t.Errorf("%s: %+v, by JSON %+v, %v", raw, fast, slow, err)
		}
	}
	if scanned != 4 {
		t.Errorf("%d lines were scanned", scanned)
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte(`{"path":"a/b","type":"file","size":5,"mode":"644","mtime":1,"mtime_ns":2,"xxh64":"0000000000000abc","inode":3}` + "\n"))
	f.Add([]byte(`{"path":"a","type":"file","size":5,"mode":"644","mtime":1,"mtime_ns":2,"inode":3,"packed":{"offset":1,"crc32":2}}` + "\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		fast, ok := scan(raw)
		if !ok {
			return
		}
		if l, err := parse(raw); err == nil { // JSON knows no 00, and nothing depends on it
			if slow, err := l.record(); err != nil || !reflect.DeepEqual(fast, slow) {
				t.Errorf("%+v, by JSON %+v, %v", fast, slow, err)
			}
		}
	})
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(`{"path":"a","type":"file","mode":"644","mtime":1,"mtime_ns":2,"inode":3}` + "\n" +
		`{"end":{"files":1,"folders":0,"bytes":0,"device":0,"inode":0}}` + "\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		all, _, err := read(raw)
		if err != nil {
			return
		}
		w := begun(t, io.Discard)
		for _, r := range all {
			if err := w.Add(r); err != nil {
				t.Errorf("%+v was read but can't be written: %v", r, err)
			}
		}
	})
}
