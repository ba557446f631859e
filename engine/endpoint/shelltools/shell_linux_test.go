package shelltools

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/remote"
)

// shells are what sh may be.
var shells = []string{"dash", "bash", "busybox"}

// scripts are all there are.
var scripts = []string{
	probe, unpackGNU, unpackBSD, unpackBusybox, unpackZip, makeFolders, foldersGNU, foldersBSD, syncFiles, syncAll, packGNU, packBSD, packBusybox, digest,
}

func TestNoLoginShellReadsAScript(t *testing.T) {
	t.Parallel()
	for _, script := range scripts {
		inside, ok := strings.CutPrefix(script, "exec sh -c '")
		inside, closed := strings.CutSuffix(inside, "'")
		if !ok || !closed || strings.ContainsAny(inside, "'!\n\r") || strings.Contains(inside, `\\`) {
			t.Errorf("a shell may read this: %s", script)
		}
	}
}

func TestEveryLoginShellStartsTheScripts(t *testing.T) {
	t.Parallel()
	for _, login := range []string{"sh", "dash", "bash", "busybox sh", "zsh", "tcsh", "fish"} {
		t.Run(login, func(t *testing.T) {
			t.Parallel()
			words := append(strings.Fields(login), "-c")
			if _, err := exec.LookPath(words[0]); err != nil {
				t.Logf("this machine has no %s", words[0])
				return
			}
			m := newMachine(t, nil)
			m.login = words
			far := newFar(t, m)
			if far.tools.Tar != "gnu" || !far.tools.XXH64Sum || !far.tools.Unzip || far.tools.Sync != "files" || far.tools.System != "Linux" {
				t.Errorf("tools are %+v", far.tools)
			}
			fails(t, far.write(t.Context(), []endpoint.Item{file("a\nb", "x"), folderItem("f\n", 0o750)}, true))
			isThere(t, far, file("a\nb", "x"))
			isThere(t, far, folderItem("f\n", 0o750))
			files, err := far.read(t.Context(), []string{"a\nb"})
			if err != nil || string(files[0].Data) != "x" {
				t.Errorf("%+v, %v", files, err)
			}
			nothingWasParsed(t, far)
		})
	}
}

// FuzzNothingIsParsed has each shell take a folder, a way, and a file of any name, and looks at what it made of them.
func FuzzNothingIsParsed(f *testing.F) {
	for _, name := range hostile {
		f.Add(name, name)
	}
	f.Add("x", "\\0101\\c")
	f.Add("$(touch pwned)/in", "plain")
	f.Add("a/b/c", "'; touch pwned; '")
	f.Fuzz(func(t *testing.T, folder, name string) {
		if !possible(folder) || !possible(name) {
			t.Skip()
		}
		for _, sh := range shells {
			m := newMachine(t, map[string]string{"sh": sh})
			root := openTempDir(t)
			far := farBare(t, m, root+"/"+folder)
			item := file(name+"/"+name, folder)
			fails(t, far.write(t.Context(), []endpoint.Item{item}, false))
			isThere(t, far, item)
			files, err := far.read(t.Context(), []string{item.Path})
			if err != nil || string(files[0].Data) != folder || files[0].Err != nil {
				t.Errorf("%s: %+v, %v", sh, files, err)
			}
			digests, err := far.dir.(endpoint.Digester).Digests(t.Context(), []string{item.Path})
			if err != nil || digests[0].Err != nil {
				t.Errorf("%s: %+v, %v", sh, digests, err)
			}
			only(t, far.path, name)
			only(t, filepath.Join(far.path, name), name)
			if above, _, _ := strings.Cut(folder, "/"); above != "pwned" {
				nothingWasParsed(t, far)
			}
		}
	})
}

// farBare is farAt without a probe.
func farBare(t *testing.T, m *machine, path string) *far {
	t.Helper()
	far := &far{machine: m, path: path, tools: Tools{Tar: "gnu", XXH64Sum: true}}
	fails(t, os.MkdirAll(path, 0o755))
	far.plain = openLocal(t, path)
	far.dir = Decorate(far.plain, path, m, far.tools)
	return far
}

// possible reports whether path may be a path on this machine, and not too long to be doubled.
func possible(path string) bool {
	if len(path) > 500 {
		return false
	}
	for step := range strings.SplitSeq(path, "/") {
		if step == "" || step == "." || step == ".." || step == "pwned" || len(step) > 255 || strings.Contains(step, "\x00") {
			return false
		}
	}
	return true
}

// only checks that a folder has one name, or the first step of one.
func only(t *testing.T, path, name string) {
	t.Helper()
	first, _, _ := strings.Cut(name, "/")
	names, err := os.ReadDir(path)
	fails(t, err)
	if len(names) != 1 || names[0].Name() != first {
		t.Errorf("%q has %q", path, names)
	}
}

func TestALineArrivesAsItIs(t *testing.T) {
	t.Parallel()
	const echo = `exec sh -c '` + line + `line; printf "%s" "$l"; exec cat'`
	every := make([]byte, 0, 255)
	for c := 1; c < 256; c++ {
		every = append(every, byte(c))
	}
	for _, sh := range shells {
		m := newMachine(t, map[string]string{"sh": sh})
		for _, text := range append([]string{string(every), "", "\n\n", "p", "b", "\\0007", "\x011", "\xff9"}, hostile...) {
			var got []byte
			err := run(t.Context(), m, echo, func(w io.Writer) error {
				_, err := w.Write(append(appendLine(nil, text), "\nthe tool's\n\\own input"...))
				return err
			}, func(r io.Reader) (err error) { got, err = io.ReadAll(r); return err })
			if err != nil || string(got) != text+"\nthe tool's\n\\own input" {
				t.Errorf("%s: %q is %q, %v", sh, text, got, err)
			}
		}
	}
}

func TestToolsAreWhatTheHostHas(t *testing.T) {
	t.Parallel()
	for name, tools := range flavours {
		m := newMachine(t, tools)
		m.noise = "Welcome\nKETTER-TOOLS tar=gnu\nbye"
		got, err := Probe(t.Context(), m)
		fails(t, err)
		if want := map[string]string{"busybox": "all"}[name]; got.Tar != name || want != "" && got.Sync != want || !got.Unzip || got.umask == 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	none, err := Probe(t.Context(), newMachine(t, map[string]string{"tar": "", "unzip": "", "xxh64sum": "", "sync": "", "uname": ""}))
	if err != nil || none.Tar != "" || none.Unzip || none.XXH64Sum || none.Sync != "" || len(none.Names()) > 0 {
		t.Errorf("%+v, %v", none, err)
	}
}

func TestAHostThatStartsNothingHasNoTools(t *testing.T) {
	t.Parallel()
	for _, login := range []string{"false", "true"} {
		m := newMachine(t, nil)
		m.login = []string{login}
		if tools, err := Probe(t.Context(), m); err != nil || len(tools.Names()) > 0 {
			t.Errorf("%+v, %v", tools, err)
		}
	}
	lost := errors.New("lost")
	if _, err := Probe(t.Context(), loser{lost}); !errors.Is(err, lost) {
		t.Error(err)
	}
}

type loser struct{ err error }

func (l loser) Start(context.Context, remote.Command) (remote.Process, error) { return nil, l.err }

func FuzzToolsAreParsedStrictly(f *testing.F) {
	f.Add([]byte("\nKETTER-TOOLS tar=gnu unzip=1 xxh64sum=1 sync=files umask=0022 uname=Linux\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		tools := parseTools(said)
		if tools != (Tools{}) && (!plain(tools.System) || tools.umask > 0o777 || tools.Tar == "none") {
			t.Errorf("%+v", tools)
		}
	})
}

func TestALineThatIsCutOrOddHasNoTools(t *testing.T) {
	t.Parallel()
	whole := "\nKETTER-TOOLS tar=gnu unzip=1 xxh64sum=1 sync=files umask=0022 uname=Linux\n"
	if got := parseTools([]byte("noise" + whole + "noise")); got != (Tools{"gnu", true, true, "files", "Linux", 0o022}) {
		t.Errorf("%+v", got)
	}
	for _, odd := range []string{
		whole[:len(whole)-1], strings.Replace(whole, "gnu", "GNU", 1), strings.Replace(whole, "unzip=1", "unzip=", 1), strings.Replace(whole, "0022", "x", 1),
		strings.Replace(whole, "Linux", "Linux more", 1), strings.Replace(whole, "Linux", "$(id)", 1), strings.Replace(whole, "sync", "snc", 1),
	} {
		if got := parseTools([]byte(odd)); got != (Tools{}) {
			t.Errorf("%q: %+v", odd, got)
		}
	}
}

func TestATarThatLacksAnOptionIsNotUsed(t *testing.T) {
	t.Parallel()
	m := newMachine(t, map[string]string{"unzip": ""})
	bin, _, _ := strings.Cut(m.path, ":")
	old := "#!/bin/sh\ncase $1 in --version) echo 'tar (GNU tar) 1.20';; *) exit 64;; esac\n"
	fails(t, os.WriteFile(bin+"/tar", []byte(old), 0o755))
	if tools, err := Probe(t.Context(), m); err != nil || tools.Tar != "" {
		t.Errorf("%+v, %v", tools, err)
	}
}
