package tokens

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func newFile(t *testing.T) string {
	t.Helper()
	t.Parallel()
	return filepath.Join(t.TempDir(), "tokens")
}

func create(t *testing.T, path, name string) string {
	t.Helper()
	text, err := Create(t.Context(), path, name, noon)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestATokenIsKnownByItsNameUntilItIsRevoked(t *testing.T) {
	path := newFile(t)
	ana, rui := create(t, path, "ana"), create(t, path, "rui.2")
	names := func() map[string]string {
		v, err := NewVerifier(path, func(error) {})
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]string{}
		for _, text := range []string{ana, rui, ana + " ", strings.ToUpper(ana), ana[:len(ana)-1], "", "ana"} {
			if name, known := v.Name(text); known {
				found[text] = name
			}
		}
		return found
	}
	if found := names(); len(found) != 2 || found[ana] != "ana" || found[rui] != "rui.2" {
		t.Errorf("%v", found)
	}
	if err := Revoke(t.Context(), path, "ana"); err != nil {
		t.Fatal(err)
	}
	if found := names(); len(found) != 1 || found[rui] != "rui.2" {
		t.Errorf("%v", found)
	}
}

func TestTokensAreRandomAndCanBeRecognised(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		text := generate()
		if !regexp.MustCompile(`^ketter_[0-9a-f]{48}$`).MatchString(text) || seen[text] {
			t.Fatalf("%q", text)
		}
		seen[text] = true
	}
}

func TestTheFileHoldsNoToken(t *testing.T) {
	path := newFile(t)
	text := create(t, path, "ana")
	if told := content(t, path); strings.Contains(told, strings.TrimPrefix(text, Prefix)) || !strings.HasPrefix(told, "# ") ||
		!strings.Contains(told, "\nana sha256:") || !strings.HasSuffix(told, " 2026-05-04T12:00:00Z\n") {
		t.Errorf("%s", told)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestAChangeKeepsModeOwnerAndLink(t *testing.T) {
	path := newFile(t)
	create(t, path, "ana")
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if err := os.Chown(path, 12, 34); err != nil {
			t.Fatal(err)
		}
	}
	before, _ := os.Stat(path)
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	create(t, link, "rui")
	after, err := os.Stat(path)
	if err != nil || after.Mode() != 0o640 {
		t.Fatalf("%v, %v", after, err)
	}
	was, is := before.Sys().(*syscall.Stat_t), after.Sys().(*syscall.Stat_t)
	if was.Uid != is.Uid || was.Gid != is.Gid || was.Ino == is.Ino {
		t.Errorf("owner %d:%d was %d:%d; replaced as a whole: %v", is.Uid, is.Gid, was.Uid, was.Gid, was.Ino != is.Ino)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v, %v", info, err)
	}
}

func TestARefusedChangeLeavesTheFileAsItWas(t *testing.T) {
	path := newFile(t)
	create(t, path, "ana")
	was := content(t, path)
	for _, c := range []struct {
		name string
		want error
	}{{"ana", ErrExists}, {"", ErrName}, {"-ana", ErrName}, {"a b", ErrName}, {"a\n", ErrName}, {"é", ErrName}, {strings.Repeat("a", 64), ErrName}} {
		if text, err := Create(t.Context(), path, c.name, noon); !errors.Is(err, c.want) || text != "" {
			t.Errorf("%q: %v", c.name, err)
		}
	}
	if err := Revoke(t.Context(), path, "rui"); !errors.Is(err, ErrNone) {
		t.Errorf("%v", err)
	}
	if got := content(t, path); got != was {
		t.Errorf("%s", got)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("beside it: %v, %v", left, err)
	}
}

func TestWritersWaitForEachOther(t *testing.T) {
	path := newFile(t)
	var writers sync.WaitGroup
	for i := range 20 {
		writers.Go(func() {
			if _, err := Create(context.Background(), path, fmt.Sprintf("n%d", i), noon); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	if list, err := Read(path); err != nil || len(list) != 20 {
		t.Errorf("%d of 20, %v", len(list), err)
	}
}

func TestAWriterGivesUpWithItsCaller(t *testing.T) {
	path := newFile(t)
	release, err := lock(t.Context(), filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Create(ctx, path, "ana", noon); err == nil || !strings.Contains(err.Error(), "another one") {
		t.Errorf("%v", err)
	}
}

func TestAFileThatOthersMayReadIsRefused(t *testing.T) {
	path := newFile(t)
	create(t, path, "ana")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("%v", err)
	}
	if _, err := Create(t.Context(), path, "rui", noon); err == nil {
		t.Error("it is changed all the same")
	}
}

const line = "ana sha256:" + zeros + " 2026-05-04T12:00:00Z\n"
const zeros = "0000000000000000000000000000000000000000000000000000000000000000"

func TestABadLineIsNamedAndNotQuoted(t *testing.T) {
	t.Parallel()
	const secret = "ketter_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	for text, want := range map[string]string{
		"# x\n\n" + secret + "\n":                              "line 3: ",
		"ana " + secret + " 2026-05-04T12:00:00Z\n":            "line 1: the hash",
		"ana sha256:" + zeros + "00 2026-05-04T12:00:00Z\n":    "line 1: the hash",
		"ana md5:" + zeros + " 2026-05-04T12:00:00Z\n":         "line 1: the hash",
		"-na sha256:" + zeros + " 2026-05-04T12:00:00Z\n":      "line 1: a token's name",
		"ana sha256:" + zeros + " " + secret + "\n":            "line 1: the time",
		"ana sha256:" + zeros + " 2026-05-04T12:00:00Z more\n": "line 1: ",
		line + "# x\n" + line:                                  "line 3: the token ana stands in line 1",
		"\x00":                                                 "line 1: ",
	} {
		_, err := parse(text)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAFileHasItsLimits(t *testing.T) {
	path := newFile(t)
	var b strings.Builder
	for i := range maxTokens {
		fmt.Fprintf(&b, "n%d sha256:%s 2026-05-04T12:00:00Z\n", i, zeros)
	}
	if list, err := parse(b.String()); err != nil || len(list) != maxTokens {
		t.Errorf("%d, %v", len(list), err)
	}
	if _, err := parse(b.String() + line); err == nil {
		t.Error("one more was taken")
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(t.Context(), path, "ana", noon); err == nil || !strings.Contains(err.Error(), "revoke one") {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("#", maxFile+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil {
		t.Error("a file without end was read")
	}
}

func FuzzWhatIsReadIsWrittenAsItWas(f *testing.F) {
	f.Add(heading + line)
	f.Add("")
	f.Add("# \r\nana\tsha256:" + zeros + "\t2026-05-04T12:00:00+02:00\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parse(text)
		if err != nil {
			return
		}
		again, err := parse(format(list))
		if err != nil || len(again) != len(list) {
			t.Fatalf("%v of %q", err, text)
		}
		for i := range list {
			if a, b := list[i], again[i]; a.Name != b.Name || a.hash != b.hash || !a.Created.Truncate(time.Second).Equal(b.Created) || !isName(a.Name) {
				t.Fatalf("%+v became %+v", a, b)
			}
		}
	})
}
