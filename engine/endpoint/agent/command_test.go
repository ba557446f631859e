package agent

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// program writes a shell script that says what it was started as.
func program(t testing.TB, path, says string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte("#!/bin/sh\necho "+says+" \"$@\"\n"), 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// startLine runs Command as sshd does: the line is given to a login shell, in the user's home.
func startLine(t testing.TB, shell, home, path string, input string) string {
	t.Helper()
	cmd := exec.Command(shell, "-c", Command.Line)
	cmd.Dir, cmd.Env = home, []string{"HOME=" + home, "PATH=" + path}
	cmd.Stdin = strings.NewReader(input)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v", shell, err)
	}
	return out.String()
}

func line(t testing.TB, path string) string {
	t.Helper()
	l, err := firstLine(path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var shells = []string{"dash", "bash"}

func TestTheNamedAgentIsStartedElseTheOneInPath(t *testing.T) {
	t.Parallel()
	for _, shell := range shells {
		home := t.TempDir()
		program(t, filepath.Join(home, "bin/ketter"), "from-path")
		odd := "odd $(touch pwned) `touch pwned`; '\"\\\n é\xff -rf\n"
		program(t, filepath.Join(home, odd, "ketter"), "named")
		path := filepath.Join(home, "bin") + ":/usr/bin:/bin"
		for named, want := range map[string]string{
			"": "from-path agent --stdio\n", "/nowhere/ketter": "from-path agent --stdio\n", home: "from-path agent --stdio\n",
			filepath.Join(home, odd, "ketter"): "named agent --stdio\n", odd + "/ketter": "named agent --stdio\n",
		} {
			if got := startLine(t, shell, home, path, line(t, named)+"rest"); got != want {
				t.Errorf("%s, %q: %q, want %q", shell, named, got, want)
			}
		}
	}
}

func TestWhatFollowsTheFirstLineIsTheAgents(t *testing.T) {
	t.Parallel()
	for _, shell := range shells {
		home := t.TempDir()
		if err := os.WriteFile(filepath.Join(home, "ketter"), []byte("#!/bin/sh\ncat\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		if got := startLine(t, shell, home, home+":/usr/bin:/bin", line(t, "")+"\x00frames\nand more"); got != "\x00frames\nand more" {
			t.Errorf("%s: it got %q", shell, got)
		}
	}
}

func TestAHostWithoutAgentSaysWhatItHas(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	for _, tool := range []string{"sh", "uname"} {
		found, err := exec.LookPath(tool)
		if err == nil {
			err = os.Symlink(found, filepath.Join(home, tool))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		tar, unzip, xxh string
		want            NoneError
	}{
		{"", "", "", NoneError{}},
		{"tar (GNU tar) 1.34", "x", "", NoneError{Tar: "gnu", Unzip: true}},
		{"bsdtar 3.5.3 - libarchive 3.7.4", "", "x", NoneError{Tar: "bsd", XXH64Sum: true}},
		{"tar (busybox) 1.35.0", "x", "x", NoneError{Tar: "busybox", Unzip: true, XXH64Sum: true}},
		{"heirloom", "", "", NoneError{Tar: "other"}},
	} {
		bin := t.TempDir()
		for name, says := range map[string]string{"tar": c.tar, "unzip": c.unzip, "xxh64sum": c.xxh} {
			if says != "" {
				program(t, filepath.Join(bin, name), `'`+says+`'`)
			}
		}
		said := startLine(t, "/bin/sh", home, bin+":"+home, line(t, ""))
		_, err := parseBanner(strings.TrimSuffix(said, "\n"))
		var none *NoneError
		if !errors.As(err, &none) || !errors.Is(err, ErrNoAgent) {
			t.Fatalf("%q is %v", said, err)
		}
		if none.OS == "" || none.Arch == "" {
			t.Errorf("%q tells no system", said)
		}
		none.OS, none.Arch = "", ""
		if *none != c.want {
			t.Errorf("%q is %+v, want %+v", said, *none, c.want)
		}
	}
}

// FuzzAgentPathIsNeverParsed runs the script on hostile paths: only the file that has just that path is ever executed.
func FuzzAgentPathIsNeverParsed(f *testing.F) {
	for _, path := range []string{"", "$(touch pwned)", "`touch pwned`", "a; touch pwned", "a\ntouch pwned\n", "-rf", "'\"", `\0101`, `\n`, "%s%n",
		"\x81\x82\x83\xff", "é", "$IFS", "*", "~/x", "${agent}", "&& touch pwned", "x\n", "[a]", "|touch pwned", "X", "!!"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		first, err := firstLine(path)
		if err != nil || len(path) > 200 {
			return
		}
		if strings.Count(first, "\n") != 1 || strings.Trim(first[len(marker):], `abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-\`+"\n") != "" {
			t.Fatalf("the first line is %q", first)
		}
		if strings.Contains(path, "/") { // it would lead somewhere else on this machine
			path = strings.ReplaceAll(path, "/", "_")
			first = line(t, path)
		}
		for _, shell := range shells {
			home := t.TempDir()
			want := "in-path agent --stdio\n"
			program(t, filepath.Join(home, "bin/ketter"), "in-path")
			if path != "" && path != "." && path != ".." && path != "bin" {
				program(t, filepath.Join(home, path), "named")
				want = "named agent --stdio\n"
			}
			before := count(t, home)
			if got := startLine(t, shell, home, filepath.Join(home, "bin")+":/usr/bin:/bin", first); got != want {
				t.Errorf("%s: %q, want %q", shell, got, want)
			}
			if after := count(t, home); after != before {
				t.Errorf("%s: %d names became %d", shell, before, after)
			}
		}
	})
}

func count(t testing.TB, folder string) int {
	t.Helper()
	all, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestTheCommandIsOneThatEveryLoginShellHandsOn(t *testing.T) {
	t.Parallel()
	inner, ok := strings.CutPrefix(Command.Line, "exec sh -c '")
	inner, end := strings.CutSuffix(inner, "'")
	if !ok || !end || strings.ContainsAny(inner, "'\\!\n") {
		t.Errorf("it is %s", Command.Line)
	}
}
