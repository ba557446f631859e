// Package infra_test guards what no compiler reads: the compose file, systemd's units, launchd's property lists.
package infra_test

import (
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ketter/ketter/infra/config"
)

func settings(t *testing.T) map[string]string {
	t.Helper()
	_, all, err := config.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	defaults := make(map[string]string, len(all))
	for _, s := range all {
		defaults[s.Name] = s.Default
	}
	return defaults
}

func variables(t *testing.T) []string { return slices.Collect(maps.Keys(settings(t))) }

func match(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v, %v", pattern, files, err)
	}
	return files
}

func TestTheExampleEnvironmentHasEveryVariableOfAServiceWithItsDefault(t *testing.T) {
	t.Parallel()
	wanted := settings(t)
	delete(wanted, "KETTER_STATE_DIR") // of `ketter up`
	delete(wanted, "PG_BINDIR")
	var environ []string
	for _, line := range regexp.MustCompile(`(?m)^(#?)([A-Z][A-Z_]+)=(.*)$`).FindAllStringSubmatch(readText(t, "systemd/ketter.env.example"), -1) {
		name, value := line[2], line[3]
		standard, exists := wanted[name]
		if !exists {
			t.Errorf("Ketter knows no %s, or it stands there twice", name)
		}
		if line[1] == "#" && standard != "" && value != standard {
			t.Errorf("%s: by default it is %s, not %s", name, standard, value)
		}
		delete(wanted, name)
		if line[1] == "" {
			environ = append(environ, name+"="+value)
		}
	}
	if len(wanted) > 0 {
		t.Errorf("missing: %v", slices.Sorted(maps.Keys(wanted)))
	}
	if _, _, err := config.Load(environ); err != nil {
		t.Error(err)
	}
}

func TestNoServiceIsKilledBeforeItsSoftStop(t *testing.T) {
	t.Parallel()
	soft, err := time.ParseDuration(settings(t)["KETTER_SOFT_STOP"])
	if err != nil {
		t.Fatal(err)
	}
	for _, where := range []struct{ name, pattern string }{
		{"systemd/ketter-worker.service", `TimeoutStopSec=(\d+)`},
		{"launchd/com.ketter.worker.plist", `<key>ExitTimeOut</key>\s*<integer>(\d+)</integer>`},
	} {
		found := regexp.MustCompile(where.pattern).FindStringSubmatch(readText(t, where.name))
		if found == nil {
			t.Errorf("%s sets no time", where.name)
			continue
		}
		if limit, err := time.ParseDuration(found[1] + "s"); err != nil || limit < 2*soft {
			t.Errorf("%s: %v, %v", where.name, limit, err)
		}
	}
}

func TestUnitsAreConfinedAndNameOnlyVariablesThatExist(t *testing.T) {
	t.Parallel()
	known := variables(t)
	for _, name := range match(t, "systemd/*.service") {
		text := readText(t, name)
		for _, line := range []string{"User=ketter", "EnvironmentFile=/etc/ketter/ketter.env", "NoNewPrivileges=yes", "ProtectSystem=strict",
			"PrivateTmp=yes", "CapabilityBoundingSet=", "SystemCallFilter=@system-service"} {
			if !strings.Contains(text, "\n"+line+"\n") {
				t.Errorf("%s has no line %s", name, line)
			}
		}
		for _, variable := range regexp.MustCompile(`KETTER_[A-Z_]+`).FindAllString(text, -1) {
			if !slices.Contains(known, variable) {
				t.Errorf("%s: Ketter knows no %s", name, variable)
			}
		}
	}
}

// The units' binary is not on the machine that tests: another takes its place.
func TestSystemdUnderstandsTheUnits(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("there is no systemd-analyze here; the other rules were checked")
		return
	}
	dir := t.TempDir()
	arguments := []string{"verify"}
	for _, name := range match(t, "systemd/*.service") {
		unit := filepath.Join(dir, filepath.Base(name))
		text := strings.ReplaceAll(readText(t, name), "/usr/local/bin/ketter", "/bin/true")
		if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		arguments = append(arguments, unit)
	}
	if err := os.Mkdir(filepath.Join(dir, "ketter-worker.service.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	storages := filepath.Join(dir, "ketter-worker.service.d", "storages.conf")
	if err := os.WriteFile(storages, []byte(readText(t, "systemd/storages.conf")), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.CommandContext(t.Context(), analyze, arguments...).CombinedOutput(); err != nil || strings.Contains(string(said), dir) {
		t.Errorf("%v\n%s", err, said)
	}
}

func TestPropertyListsAreWellFormedAndNameOnlyVariablesThatExist(t *testing.T) {
	t.Parallel()
	known := variables(t)
	for _, name := range match(t, "launchd/*.plist") {
		text := readText(t, name)
		decoder := xml.NewDecoder(strings.NewReader(text))
		for {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if label := strings.TrimSuffix(filepath.Base(name), ".plist"); !strings.Contains(text, "<string>"+label+"</string>") {
			t.Errorf("%s is not the label of %s", label, name)
		}
		for _, variable := range regexp.MustCompile(`KETTER_[A-Z_]+`).FindAllString(text, -1) {
			if !slices.Contains(known, variable) {
				t.Errorf("%s: Ketter knows no %s", name, variable)
			}
		}
	}
}
