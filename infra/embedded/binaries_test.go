package embedded

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVersionsAreRead(t *testing.T) {
	for output, want := range map[string]int{
		"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n": 15,
		"postgres (PostgreSQL) 18beta1\n":                        18,
		"postgres (PostgreSQL) 13.4\n":                           0,
		"postgres (PostgreSQL) 9.6.24\n":                         0,
		"gibberish\n":                                            0,
		"":                                                       0,
	} {
		found, err := parseVersion("/bin", output)
		if found.major != want || (err == nil) != (want != 0) {
			t.Errorf("%q gives %d, %v", output, found.major, err)
		}
	}
}

// fakeInstallation makes a folder of programs that say they are of version.
func fakeInstallation(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\necho 'postgres (PostgreSQL) " + version + "'\n"
	for _, name := range []string{"postgres", "initdb"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPgBindirIsObeyedOrRefused(t *testing.T) {
	dir := fakeInstallation(t, "17.2")
	found, err := findBinaries(t.Context(), dir, []int{15})
	if err != nil || found.major != 17 || found.dir != dir {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := findBinaries(t.Context(), t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "PG_BINDIR") {
		t.Errorf("an empty PG_BINDIR: %v", err)
	}
}

func TestOnPathALinkLeadsToTheInstallation(t *testing.T) {
	dir, path := fakeInstallation(t, "99.1"), t.TempDir()
	if err := os.Symlink(filepath.Join(dir, "initdb"), filepath.Join(path, "initdb")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", path+":"+os.Getenv("PATH"))
	found, err := findBinaries(t.Context(), "", nil)
	if err != nil || found.dir != dir {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestDataOfAMissingVersionIsNotSilentlyLeftBehind(t *testing.T) {
	t.Setenv("PATH", fakeInstallation(t, "99.1")+":"+os.Getenv("PATH"))
	_, err := findBinaries(t.Context(), "", []int{98})
	if err == nil || !strings.Contains(err.Error(), "PostgreSQL 98") {
		t.Errorf("the error does not name the version that is missing: %v", err)
	}
	found, err := findBinaries(t.Context(), "", []int{99})
	if err != nil || found.major != 99 {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestAPidFileIsReadAsFarAsItIsWritten(t *testing.T) {
	dir := t.TempDir()
	for content, want := range map[string]pidFile{
		"":                        {},
		"12\n/data\n":             {},
		"-12\n/data\n1\n5432\n\n": {},
		"12\n/data\n1\n5432\n\n":  {pid: 12, dataDir: "/data", port: 5432},
		"12\n/data\n1\n5432\n\n127.0.0.1\n 1 2\nstarting\n":     {pid: 12, dataDir: "/data", port: 5432},
		"12\n/da ta\n1\n5432\n\n127.0.0.1\n 1 2\nready   \n":    {pid: 12, dataDir: "/da ta", port: 5432, ready: true},
		"twelve\n/data\n1\n5432\n\n127.0.0.1\n 1 2\nready   \n": {},
	} {
		if err := os.WriteFile(filepath.Join(dir, "postmaster.pid"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := readPIDFile(dir); got != want {
			t.Errorf("%q gives %+v", content, got)
		}
	}
}
