package endpointtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/ketter/ketter/engine/endpoint"
)

// foreign is a folder of another endpoint than any under test.
type foreign struct{ endpoint.Dir }

// foreignReader is a file of one.
type foreignReader struct{ endpoint.Reader }

func reopens(dir endpoint.Dir, name string) error {
	w, err := dir.Reopen(name)
	if err == nil {
		w.Close()
	}
	return err
}

func publishes(dir endpoint.Dir, name, newName string) error {
	_, err := dir.Publish(name, dir, newName)
	return err
}

// open opens what put wrote.
func open(t *testing.T, dir endpoint.Dir, name string) endpoint.Reader {
	t.Helper()
	r, err := dir.Open(name)
	ok(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

func create(t *testing.T, dir endpoint.Dir, name string) endpoint.Writer {
	t.Helper()
	w, err := dir.Create(name, 0o600)
	ok(t, err)
	t.Cleanup(func() { w.Close() })
	return w
}

func size(t *testing.T, dir endpoint.Dir, name string) int64 {
	t.Helper()
	info, err := dir.Lstat(name)
	ok(t, err)
	return info.Size
}

func linkIsTheFile(t *testing.T, dir endpoint.Dir) {
	put(t, dir, "file", "content")
	other := sub(t, dir, "other")
	err := dir.Link("file", other, "second")
	if !dir.Capabilities().HardLinks {
		if err == nil {
			t.Error("it links, and says that it can't")
		}
		return
	}
	ok(t, err)
	is(t, dir.Link("file", foreign{other}, "third"), syscall.EXDEV)
	put(t, other, "taken", "old")
	ok(t, other.Symlink("nowhere", "dangling"))
	for _, taken := range []string{"taken", "dangling", "second"} {
		is(t, dir.Link("file", other, taken), fs.ErrExist)
	}
	if get(t, other, "taken") != "old" {
		t.Error("a link replaced a file")
	}
	first, err := dir.Lstat("file")
	ok(t, err)
	second, err := other.Lstat("second")
	ok(t, err)
	if dir.Capabilities().Realm == "" { // no numbers tell it: they must say nothing
		first.Links, second.Links = first.Links+first.Inode+1, second.Links+second.Inode+1
	}
	if first.Inode != second.Inode || first.Device != second.Device || first.Links != 2 {
		t.Errorf("linked %+v and %+v", first, second)
	}
	ok(t, dir.Remove("file"))
	if get(t, other, "second") != "content" {
		t.Error("the second name went with the first")
	}
	sub(t, dir, "folder")
	if dir.Link("folder", other, "folder") == nil {
		t.Error("Link linked a folder")
	}
}

func reopenGoesOn(t *testing.T, dir endpoint.Dir) {
	put(t, dir, "file", "0123456789")
	w, err := dir.Reopen("file")
	ok(t, err)
	_, err = w.WriteAt([]byte("XY"), 4)
	ok(t, err)
	_, err = w.WriteAt([]byte("end"), 10)
	ok(t, err)
	ok(t, w.Close())
	if got := get(t, dir, "file"); got != "0123XY6789end" {
		t.Errorf("it holds %q now", got)
	}
	sub(t, dir, "folder")
	if reopens(dir, "folder") == nil {
		t.Error("Reopen opened a folder")
	}
	if err := reopens(dir, "missing"); !errors.Is(err, fs.ErrNotExist) || len(names(t, dir)) != 2 {
		t.Errorf("reopening what is missing: %v", err)
	}
}

func writeAtAnyOffset(t *testing.T, dir endpoint.Dir) {
	const pieces, piece = 64, 5000 // no multiple of a block
	w := create(t, dir, "file")
	var want bytes.Buffer
	var writing sync.WaitGroup
	errs := make([]error, pieces)
	for i := range pieces {
		want.Write(bytes.Repeat([]byte{byte('A' + i)}, piece))
	}
	for i := pieces - 1; i >= 0; i-- {
		writing.Go(func() { _, errs[i] = w.WriteAt(want.Bytes()[i*piece:(i+1)*piece], int64(i*piece)) })
	}
	writing.Wait()
	ok(t, errors.Join(errs...))
	ok(t, w.Close())
	if get(t, dir, "file") != want.String() {
		t.Error("it came back different")
	}
}

func truncateGrowsAndCuts(t *testing.T, dir endpoint.Dir) {
	w := create(t, dir, "file")
	_, err := io.WriteString(w, "0123456789")
	ok(t, err)
	ok(t, w.Truncate(4))
	ok(t, w.Truncate(8<<20))
	ok(t, w.Sync())
	if got := get(t, dir, "file"); len(got) != 8<<20 || strings.Trim(got, "\x00") != "0123" {
		t.Errorf("it has %d bytes, beginning with %q", len(got), got[:10])
	}
	info, err := dir.Lstat("file")
	ok(t, err)
	if dir.Capabilities().Holes && info.Allocated > 1<<20 && info.Allocated != info.Size {
		t.Errorf("a hole takes %d bytes", info.Allocated)
	}
	ok(t, w.Truncate(0))
	ok(t, w.Close())
	if n := size(t, dir, "file"); n != 0 {
		t.Errorf("it has %d bytes", n)
	}
}

func preallocateKeepsTheSize(t *testing.T, dir endpoint.Dir) {
	w := create(t, dir, "file")
	_, err := io.WriteString(w, "content")
	ok(t, err)
	if err := w.Preallocate(1 << 20); !errors.Is(err, errors.ErrUnsupported) {
		ok(t, err)
	}
	if n := size(t, dir, "file"); n != 7 {
		t.Errorf("it has %d bytes", n)
	}
	_, err = w.WriteAt([]byte("end"), 1<<19)
	ok(t, err)
	ok(t, w.Close())
	if got := get(t, dir, "file"); strings.Trim(got, "\x00") != "content"+strings.Repeat("\x00", 1<<19-7)+"end" {
		t.Errorf("it came back different, with %d bytes", len(got))
	}
}

// pattern is what no two blocks have in common.
func pattern(n int) string { return patterns()[:n] }

var patterns = sync.OnceValue(func() string {
	var b strings.Builder
	for i := 0; b.Len() < 4<<20; i++ {
		fmt.Fprintf(&b, "%015d\n", i)
	}
	return b.String()
})

func cloneHasTheBytes(t *testing.T, dir endpoint.Dir) {
	want := pattern(1<<20 + 5)
	put(t, dir, "file", want)
	w := create(t, dir, "clone")
	err := w.Clone(open(t, dir, "file"))
	if errors.Is(err, errors.ErrUnsupported) {
		want = ""
	} else {
		ok(t, err)
	}
	is(t, w.Clone(foreignReader{open(t, dir, "file")}), errors.ErrUnsupported)
	if get(t, dir, "clone") != want {
		t.Error("the clone is different")
	}
	if want == "" {
		return
	}
	_, err = w.WriteAt([]byte("changed"), 0)
	ok(t, err)
	ok(t, w.Close())
	if get(t, dir, "file") != want {
		t.Error("writing to the clone changed the file")
	}
}

func copyFromCopiesAStretch(t *testing.T, dir endpoint.Dir) {
	content := pattern(300_000)
	put(t, dir, "from", content)
	before := strings.Repeat("#", 400_000)
	put(t, dir, "to", before)
	w, err := dir.Reopen("to")
	ok(t, err)
	defer w.Close()
	r := open(t, dir, "from")
	want := before
	const at, from, limit = 70_001, 10_003, 150_000
	n, err := copied(w, r, at, from, limit)
	if errors.Is(err, errors.ErrUnsupported) {
		if n != 0 {
			t.Errorf("unsupported, after %d bytes", n)
		}
	} else {
		ok(t, err)
		if n != limit {
			t.Fatalf("%d bytes were copied", n)
		}
		want = before[:at] + content[from:from+limit] + before[at+limit:]
		if n, err := copied(w, r, int64(len(before)), 299_990, 1000); n != 10 || err != nil {
			t.Errorf("at the end: %d bytes, %v", n, err)
		}
		want += content[299_990:]
		if n, err := w.CopyFrom(0, r, int64(len(content)), 10); n != 0 || err != nil {
			t.Errorf("beyond the end: %d bytes, %v", n, err)
		}
	}
	is(t, second(w.CopyFrom(0, foreignReader{r}, 0, 10)), errors.ErrUnsupported)
	if get(t, dir, "to") != want {
		t.Error("the copy is different")
	}
	if get(t, dir, "from") != content {
		t.Error("what was copied from changed")
	}
	first := make([]byte, 16)
	if _, err := r.Read(first); err != nil || string(first) != content[:16] {
		t.Errorf("what is read next moved: %q, %v", first, err)
	}
}

// copied copies until limit or the end: the storage may do less at once.
func copied(w endpoint.Writer, r endpoint.Reader, at, from, limit int64) (done int64, err error) {
	for done < limit {
		n, err := w.CopyFrom(at+done, r, from+done, limit-done)
		done += n
		if n == 0 || err != nil {
			return done, err
		}
	}
	return done, nil
}

func second[T any](_ T, err error) error { return err }

func dataIsToldFromHoles(t *testing.T, dir endpoint.Dir) {
	const total, block = 4 << 20, 64 << 10
	for what, data := range map[string][]int64{
		"hole at the beginning": {2 << 20, total - block}, "hole in the middle": {0, total - block},
		"hole at the end": {0}, "holes everywhere": {1 << 20, 3 << 20}, "all hole": {}, "no hole": nil,
	} {
		w := create(t, dir, what)
		want := make([]byte, total)
		if data == nil {
			want = []byte(pattern(total))
			_, err := w.WriteAt(want, 0)
			ok(t, err)
		}
		for _, at := range data {
			_, err := w.WriteAt([]byte(pattern(block)), at)
			ok(t, err)
			copy(want[at:], pattern(block))
		}
		ok(t, w.Truncate(total))
		ok(t, w.Sync())
		ok(t, w.Close())
		stretches(t, open(t, dir, what), what, want)
	}
	put(t, dir, "empty", "")
	stretches(t, open(t, dir, "empty"), "empty", nil)
}

// stretches checks that what lies between stretches of data is nothing but zeros, and that they come in order.
func stretches(t *testing.T, r endpoint.Reader, what string, want []byte) {
	t.Helper()
	size := int64(len(want))
	for offset := int64(0); offset < size; {
		start, end, err := r.NextData(offset, size)
		ok(t, err)
		if start < offset || end < start || end > size || start == end && start != size {
			t.Fatalf("%s: data at %d is from %d to %d", what, offset, start, end)
		}
		if len(bytes.Trim(want[offset:start], "\x00")) > 0 {
			t.Errorf("%s: there is data between %d and %d", what, offset, start)
		}
		got := make([]byte, end-start)
		if n, err := r.ReadAt(got, start); int64(n) != end-start || err != nil && !errors.Is(err, io.EOF) {
			t.Fatalf("%s: read %d bytes at %d, %v", what, n, start, err)
		}
		if !bytes.Equal(got, want[start:end]) {
			t.Errorf("%s: different between %d and %d", what, start, end)
		}
		offset = end
	}
	if start, end, err := r.NextData(size, size); start != size || end != size || err != nil {
		t.Errorf("%s: data at the end is from %d to %d, %v", what, start, end, err)
	}
}

func publishIsARename(t *testing.T, dir endpoint.Dir) {
	other := sub(t, dir, "other")
	put(t, other, "taken", "old")
	sub(t, other, "empty")
	put(t, sub(t, dir, "folder"), "inside", "new")
	put(t, dir, "file", "new")
	for _, from := range []string{"file", "folder"} {
		for _, to := range []string{"taken", "empty"} {
			is(t, second(dir.Publish(from, other, to)), fs.ErrExist)
		}
		is(t, second(dir.Publish(from, foreign{other}, from)), syscall.EXDEV)
		is(t, dir.Rename(from, foreign{other}, from), syscall.EXDEV)
		before, err := dir.Lstat(from)
		ok(t, err)
		ok(t, second(dir.Publish(from, other, from)))
		after, err := other.Lstat(from)
		ok(t, err)
		if before.Inode != after.Inode || before.Device != after.Device {
			t.Errorf("%s is another one once published", from)
		}
	}
	if got := fmt.Sprintln(names(t, dir), names(t, other), get(t, other, "taken"), get(t, other, "file")); got !=
		"[other] [empty file folder taken] old new\n" {
		t.Errorf("there is %s", got)
	}
}
