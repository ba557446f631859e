package agent

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/local"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
)

// saying is a Starter of something that says a text and, if that ends it, ends.
type saying struct {
	text  string
	stays bool
	exit  error
	start error
}

func (s saying) Start(context.Context, remote.Command) (remote.Process, error) {
	if s.start != nil {
		return nil, s.start
	}
	p := &saidProcess{link: newLink(0, -1), exit: s.exit}
	_, err := p.link.Write([]byte(s.text))
	if !s.stays {
		p.link.end(io.EOF, false)
	}
	return p, err
}

type saidProcess struct {
	link *link
	exit error
}

func (p *saidProcess) Read(b []byte) (int, error)  { return p.link.Read(b) }
func (p *saidProcess) Write(b []byte) (int, error) { return len(b), nil }
func (p *saidProcess) CloseWrite() error           { return nil }
func (p *saidProcess) Wait() error                 { return p.exit }
func (p *saidProcess) Close() error                { p.link.end(io.EOF, true); return nil }

func TestOnlyABannerIsAnAgent(t *testing.T) {
	t.Parallel()
	unreachable := failure.New(failure.PortalUnreachable, "", "")
	for what, c := range map[string]struct {
		host saying
		want error
	}{
		"nothing":              {saying{}, ErrNoAgent},
		"silence":              {saying{stays: true}, ErrNoAgent},
		"a message of the day": {saying{text: "Welcome!\n", stays: true}, ErrNoAgent},
		"no end of line":       {saying{text: strings.Repeat("x", 100_000), stays: true}, ErrNoAgent},
		"terminal commands":    {saying{text: "\x1b[2J\x00\xff\n"}, ErrNoAgent},
		"command not found":    {saying{exit: &remote.ExitError{Status: 127, Stderr: "not found"}}, ErrNoAgent},
		"refused":              {saying{start: remote.ErrRefused}, ErrNoAgent},
		"none":                 {saying{text: "KETTER-NONE Linux x86_64 tar=gnu unzip=1 xxh64sum=0\n"}, ErrNoAgent},
		"another protocol":     {saying{text: "KETTER-AGENT 99 2.0 linux amd64 new\n", stays: true}, ErrVersion},
		"no number":            {saying{text: "KETTER-AGENT x 2.0 linux amd64\n", stays: true}, ErrNoAgent},
		"unreachable":          {saying{start: unreachable}, unreachable},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			patience := time.Minute
			if what == "silence" {
				patience = 10 * time.Millisecond
			}
			_, err := newPool(t, c.host, Options{Greeting: patience}).Probe(context.Background())
			if !errors.Is(err, c.want) {
				t.Fatalf("error is %v", err)
			}
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == utf8.RuneError }) || len(err.Error()) > 2000 {
				t.Errorf("what it said is told as it is: %q", err.Error())
			}
		})
	}
}

func TestTheFirstLineIsSkippedWhereNoScriptHasReadIt(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "/opt/odd name\n/ketter"} {
		root := t.TempDir()
		_, dir := openAt(t, newPool(t, &memory{t: t}, Options{AgentPath: path}), root)
		if _, err := dir.Info(); err != nil {
			t.Error(err)
		}
	}
}

// served is a server without a client: what it is sent is up to the test.
func served(t *testing.T, o ServeOptions, input []byte, closed bool) (string, error) {
	t.Helper()
	in := newLink(0, -1)
	_, err := in.Write(input)
	if err != nil {
		t.Fatal(err)
	}
	if closed {
		in.end(io.EOF, false)
	}
	var out bytes.Buffer
	err = Serve(context.Background(), in, &out, o)
	in.end(io.EOF, true)
	return out.String(), err
}

func TestAnAgentEndsWithItsInput(t *testing.T) {
	t.Parallel()
	out, err := served(t, ServeOptions{Version: "1.0 beta\n"}, nil, true)
	if err != nil || !strings.HasPrefix(out, "KETTER-AGENT 2 1.0_beta_ ") || strings.Count(out, "\n") != 1 {
		t.Errorf("%q, %v", out, err)
	}
}

func TestAnAgentEndsWhenItsClientIsSilent(t *testing.T) {
	t.Parallel()
	if _, err := served(t, ServeOptions{Idle: 20 * time.Millisecond}, nil, false); !errors.Is(err, errIdle) {
		t.Errorf("it ended with %v", err)
	}
}

func TestALockDoesNotOutliveASilentClient(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	_, other := openAt(t, newPool(t, &memory{t: t}, Options{}), root)
	m := &memory{t: t, options: ServeOptions{Idle: 50 * time.Millisecond}}
	_, dir := openAt(t, newPool(t, m, Options{Ping: time.Hour, GiveUp: time.Hour, Delays: []time.Duration{}}), root)
	if err := dir.TryLock(); err != nil {
		t.Fatal(err)
	}
	for errors.Is(other.TryLock(), syscall.EWOULDBLOCK) {
		time.Sleep(time.Millisecond)
	}
	if err := other.TryLock(); err != nil {
		t.Error(err)
	}
}

func TestAClientThatPingsIsNotSilent(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	m := &memory{t: t, options: ServeOptions{Idle: 300 * time.Millisecond}}
	_, dir := openAt(t, newPool(t, m, Options{Ping: 20 * time.Millisecond}), root)
	if err := dir.TryLock(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(900 * time.Millisecond)
	if _, err := dir.Info(); err != nil || m.starts.Load() != 1 {
		t.Errorf("%v, %d agents were started", err, m.starts.Load())
	}
}

func TestAGhostOfOurOwnIsWaitedFor(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	m := &memory{t: t, ghost: true, options: ServeOptions{Idle: 200 * time.Millisecond}}
	s, dir := openAt(t, newPool(t, m, Options{LockWait: 20 * time.Second}), root)
	if err := dir.TryLock(); err != nil {
		t.Fatal(err)
	}
	s.lanes[0].ready().fail(errCut)
	if _, err := dir.Info(); err != nil {
		t.Fatalf("it has the lock no more: %v", err)
	}
	other, err := local.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.TryLock(); !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Errorf("the lock is free: %v", err)
	}
}

func TestAnAgentThatSaysNothingIsGivenUp(t *testing.T) {
	t.Parallel()
	p := newPool(t, saying{text: ourBanner("1"), stays: true}, Options{Ping: 10 * time.Millisecond, GiveUp: 50 * time.Millisecond})
	s, err := p.Open(context.Background(), "/")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Locate("/"); failure.CodeOf(err) != failure.PortalUnreachable {
		t.Errorf("error is %v", err)
	}
}

func TestNothingIsServedBeyondTheRoots(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	for _, folder := range []string{"media/in", "other", "media/in/deep"} {
		if err := os.MkdirAll(filepath.Join(top, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"media/out": "../other", "media/in/up": "../..", "into": "media/in"} {
		if err := os.Symlink(to, filepath.Join(top, link)); err != nil {
			t.Fatal(err)
		}
	}
	m := &memory{t: t, options: ServeOptions{Roots: []string{filepath.Join(top, "media")}}}
	p := newPool(t, m, Options{})
	s, err := p.Open(context.Background(), top)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for path, want := range map[string]failure.Code{"media": "", "media/in": "", "into": "", "media/in/deep": "", "media/new/x": "",
		"other": failure.PathNotAllowed, "media/out": failure.PathNotAllowed, "media/in/up": failure.PathNotAllowed,
		"": failure.PathNotAllowed, "new": failure.PathNotAllowed} {
		place, err := s.Locate(filepath.Join(top, path))
		if failure.CodeOf(err) != want {
			t.Errorf("%s: %v", path, err)
		}
		if err == nil {
			if !strings.HasPrefix(place.Path, filepath.Join(top, "media")) {
				t.Errorf("%s leads to %s", path, place.Path)
			}
			place.Dir.Close()
		}
	}
	if !s.Below(top) || s.Below(filepath.Join(top, "media")) {
		t.Error("Below tells something else than the roots")
	}
}

// TestNoRequestLeadsOut asks for folders by hand, as no client of ours does.
func TestNoRequestLeadsOut(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	root := filepath.Join(top, "root")
	if err := errors.Join(os.MkdirAll(filepath.Join(root, "a"), 0o700), os.Mkdir(filepath.Join(top, "out"), 0o700),
		os.Symlink("../../out", filepath.Join(root, "a/link"))); err != nil {
		t.Fatal(err)
	}
	s, real := openAt(t, newPool(t, &memory{t: t, options: ServeOptions{Roots: []string{root}}}, Options{}), root)
	for _, at := range []place{{top, ""}, {"/", ""}, {root, ".."}, {root, "a/../.."}, {root, "/"}, {root, "a/link"}, {root, "a//"}, {root + "/a/link", ""},
		{root, "a\x00"}, {root + "/..", ""}, {"", ""}, {"a", ""}, {root + "/", ""}, {root + "/a/link/", "x"}} {
		d := &dir{s: s, place: at}
		_, err := d.Info()
		_, create := d.Create("file", 0o600)
		_, open := d.OpenDir("a")
		for _, err := range []error{err, create, open, d.Mkdir("new", 0o700), d.TryLock(), d.List(func(endpoint.Entry) error { return nil }),
			d.Rename("x", real, "y"), real.Rename("a", d, "y"), d.WriteAll(context.Background(), items(1, 1), false)} {
			if err == nil || failure.CodeOf(err) == failure.PortalUnreachable {
				t.Errorf("%q: %v", at, err)
			}
		}
		d.Close()
	}
	if all, err := os.ReadDir(filepath.Join(top, "out")); err != nil || len(all) > 0 {
		t.Errorf("it made %v outside", all)
	}
}

func TestAPathMeansWhatIsCalledThatNow(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	_, dir := openAt(t, newPool(t, &memory{t: t}, Options{}), root)
	for _, path := range []string{"", "a", "a/b"} {
		at := dir
		for name := range strings.SplitSeq(path, "/") {
			if name == "" {
				continue
			}
			_ = at.Mkdir(name, 0o700)
			next, err := at.OpenDir(name)
			if err != nil {
				t.Fatal(err)
			}
			at = next
		}
		old := filepath.Join(root, path)
		if err := errors.Join(os.Rename(old, old+".old"), os.Mkdir(old, 0o700)); err != nil {
			t.Fatal(err)
		}
		w, err := at.Create("file", 0o600)
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(filepath.Join(old, "file")); err != nil {
			t.Errorf("%q: it is in the folder of before", path)
		}
		if err := os.RemoveAll(old); err != nil {
			t.Fatal(err)
		}
		if _, err := at.Lstat("file"); !errors.Is(err, syscall.ENOENT) {
			t.Errorf("%q: %v", path, err)
		}
		if err := os.Rename(old+".old", old); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHandlesAreLimited(t *testing.T) {
	t.Parallel()
	_, dir := openAt(t, newPool(t, &memory{t: t}, Options{Connections: 1}), t.TempDir())
	d := dir.(*dirOf)
	c, err := d.s.lanes[0].get()
	if err != nil {
		t.Fatal(err)
	}
	var last error
	for range maxHandles + 1 {
		_, last = askLock(c, c.numbers.Add(1), place{"/nowhere", ""})
	}
	if !errors.Is(last, syscall.EMFILE) {
		t.Errorf("one more than there may be: %v", last)
	}
}

type dirOf = dir

func TestAPoolUsesAProcessAgain(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	m := &memory{t: t}
	p := newPool(t, m, Options{})
	if b, err := p.Probe(context.Background()); err != nil || b.Protocol != protocol {
		t.Fatalf("%+v, %v", b, err)
	}
	for range 3 {
		s, dir := openAt(t, p, root)
		if err := dir.TryLock(); err != nil {
			t.Fatalf("what came before holds the lock: %v", err)
		}
		if _, err := dir.Create("file", 0o600); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(dir.Remove("file"), s.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := dir.Info(); failure.CodeOf(err) != failure.PortalUnreachable {
			t.Errorf("the folder of a closed Storage: %v", err)
		}
	}
	if n := m.starts.Load(); n != 1 {
		t.Errorf("%d were started", n)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	m.running.Wait()
	if _, err := p.Open(context.Background(), root); err == nil {
		t.Error("a closed pool opens")
	}
}

func TestAProcessIsNotKeptForEver(t *testing.T) {
	t.Parallel()
	m := &memory{t: t}
	p := newPool(t, m, Options{Keep: time.Millisecond})
	if _, err := p.Probe(context.Background()); err != nil {
		t.Fatal(err)
	}
	m.running.Wait()
	_, dir := openAt(t, p, t.TempDir())
	if _, err := dir.Info(); err != nil {
		t.Error(err)
	}
}

func FuzzServerFrames(f *testing.F) {
	root := "/" + strings.Repeat("R", 119) // as long as the real one
	seed := func(frames ...func(w *frameWriter)) {
		var b bytes.Buffer
		w := newFrameWriter(&b)
		for _, frame := range frames {
			frame(w)
		}
		f.Add(b.Bytes())
	}
	session := func(w *frameWriter) {
		q := &encoder{}
		q.texts([]string{root})
		_ = w.write(1, opSession, q.b)
	}
	for o := opPing; o <= opClose; o++ {
		seed(session, func(w *frameWriter) {
			q := &encoder{}
			if o >= opLock {
				q.num(7)
			}
			q.place(place{root, ""})
			q.text("name")
			q.num(0)
			q.num(0)
			q.num(0)
			_ = w.write(2, o, q.b)
		})
	}
	seed(session, func(w *frameWriter) {
		q := &encoder{}
		q.place(place{root, ""})
		q.flag(true)
		q.num(1)
		item := endpoint.Item{Path: "a/b", Data: []byte("x"), Xattrs: []endpoint.Xattr{{Name: "user.x", Value: []byte("y")}}}
		q.item(&item)
		_ = w.write(2, opWriteAll, q.b, []byte("x"))
	})
	f.Add([]byte("KETTER-AGENT x\n\x00"))
	f.Fuzz(func(t *testing.T, input []byte) {
		top := t.TempDir()
		inside := filepath.Join(top, strings.Repeat("i", len(root)-len(top)-1))
		if err := errors.Join(os.Mkdir(inside, 0o700), os.Symlink("..", filepath.Join(inside, "name"))); err != nil {
			t.Fatal(err)
		}
		input = bytes.ReplaceAll(input, []byte(root), []byte(inside))
		_, _ = served(t, ServeOptions{Roots: []string{inside}, Idle: 100 * time.Millisecond}, input, true)
		if all, err := os.ReadDir(top); err != nil || len(all) != 1 {
			t.Errorf("there is %v, %v", all, err)
		}
	})
}

func FuzzClientFrames(f *testing.F) {
	add := func(frames ...func(w *frameWriter)) {
		var b bytes.Buffer
		w := newFrameWriter(&b)
		for _, frame := range frames {
			frame(w)
		}
		f.Add(b.Bytes())
	}
	for id := range uint32(4) {
		for o := opDone; o <= opPong; o++ {
			add(func(w *frameWriter) { _ = w.write(id, o, []byte("\x01x\x00")) }, func(w *frameWriter) { _ = w.write(id, opDone, nil, []byte("x")) })
		}
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		p := NewPool(saying{text: ourBanner("1") + string(input[:min(len(input), 100_000)])}, Options{Delays: []time.Duration{}, Connections: 1})
		defer p.Close()
		s, err := p.Open(context.Background(), "/")
		if err != nil {
			t.Fatal(err)
		}
		place, err := s.Locate("/x")
		if err == nil {
			place.Dir.Close()
		}
		d := &dir{s: s}
		_, _ = d.Lstat("x")
		_ = d.ListInfo(func(name string, _ endpoint.Info) error { return checkName(name) })
		_ = d.ReadAll(context.Background(), []string{"a"}, 0, true, func(i int, _ endpoint.Whole) error {
			if i != 0 {
				t.Error("there is more than was asked for")
			}
			return nil
		})
		if r, err := d.Open("x"); err == nil {
			_, _ = r.Read(make([]byte, 10))
		}
	})
}

func TestNoAgentTellsOfSizesBelowNothing(t *testing.T) {
	t.Parallel()
	for _, info := range []endpoint.Info{{Size: -1}, {Allocated: -1}, {Mode: 0o10000}} {
		e := &encoder{}
		e.info(info)
		d := &decoder{b: e.b}
		if got := d.info(); d.err() == nil {
			t.Errorf("%+v was taken for %+v", info, got)
		}
	}
}

func TestFramesComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := newFrameWriter(&b)
	if err := w.write(7, opWrite, []byte("control"), []byte("da"), nil, []byte("ta")); err != nil {
		t.Fatal(err)
	}
	h, err := readHeader(bufio.NewReader(&b))
	if err != nil || h != (header{7, 4, 7, opWrite}) || b.Len() != 0 {
		t.Errorf("%+v, %v", h, err)
	}
	if err := w.write(1, opWrite, nil, make([]byte, maxData+1)); err == nil {
		t.Error("a frame that is too large was written")
	}
}
