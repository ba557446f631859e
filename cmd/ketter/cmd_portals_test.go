package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
	"github.com/ketter/ketter/infra/testdb"
	"github.com/ketter/ketter/infra/testsshd"
)

func TestAPortalsLifeOnTheCommandLine(t *testing.T) {
	t.Parallel()
	_, dbURL := testdb.New(t)
	s := setup(t, dbURL, "redis://"+miniredis.RunT(t).Addr())
	run := func(want int, says string, args ...string) string {
		t.Helper()
		out, errOut, status := ketter(t, append([]string{"portals", "--api", s.url}, args...)...)
		if status != want || !strings.Contains(out+errOut, says) {
			t.Errorf("%v: status %d, want %d and %q\n%s%s", args, status, want, says, out, errOut)
		}
		return out
	}
	run(0, "There is no portal yet", "list")
	run(0, "LAB (id 1)", "add", "LAB", "--kind", "local", "--root", "/mnt/nexis", "--label", "lab")
	run(45, "code: portal_exists", "add", "LAB", "--kind", "local", "--root", "/mnt/nexis")
	run(2, "host is missing", "add", "SRVTRF", "--kind", "sftp", "--root", "/srv")
	sftp := []string{"add", "SRVTRF", "--kind", "sftp", "--host", "srvtrf.invalid", "--port", "2222", "--user", "ketter", "--root", "/srv",
		"--host-key", hostKeyFile(t)}
	run(2, "ketter secret-key", append(sftp, "--password-file", file(t, "p", "hunter2"))...)
	run(0, "ketter@srvtrf.invalid:2222:/srv", append(sftp, "--use-agent", "--zip-threshold-files", "0")...)
	run(0, "0 files, Ketter's bytes on average", "show", "SRVTRF")
	run(2, "give it again", "set", "SRVTRF", "--host", "other.invalid")
	run(0, "agent", "set", "SRVTRF", "--host", "other.invalid", "--use-agent", "--max-connections", "2", "--zip-threshold-files", "-1", "--label", "x")
	run(0, "credential      none", "set", "SRVTRF", "--no-credential", "--label", "", "--name", "SRV2")
	run(2, "both given", "set", "SRV2", "--no-credential", "--use-agent")
	var list []map[string]any
	if err := json.Unmarshal([]byte(run(0, "", "list", "--json")), &list); err != nil || len(list) != 2 || list[1]["name"] != "SRV2" ||
		list[1]["zip_threshold_files"] != nil || list[1]["max_connections"] != 2.0 || list[1]["worker_label"] != nil || list[1]["host"] != "other.invalid" {
		t.Errorf("%v, %v", list, err)
	}
	for line := range strings.Lines(run(0, "PLACE", "list")) {
		if len(line) > 100 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	run(0, "local", "set", "SRV2", "--kind", "local")
	job := s.post(map[string]string{"source_portal": "LAB", "source_path": "a", "destination_path": s.root, "mode": "copy", "queue": "lab"})
	run(43, fmt.Sprintf("Job %d uses it", job.ID), "rm", "LAB")
	run(0, "is deleted", "rm", "SRV2")
	run(44, "code: portal_not_found", "rm", "SRV2")
	run(44, "code: portal_not_found", "show", "a b")
}

func TestMistypedPortalsAreRefusedBeforeAnythingIsAsked(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"add"}, {"add", "a", "b"}, {"add", ""}, {"show", ".."}, {"add", "a", "--port", "x"}, {"add", "a", "--password", "hunter2"},
		{"add", "a", "--key", "/gone"}, {"add", "a", "--key", "-", "--password-file", "-"}, {"list", "a"}, {"rekey", "a"},
		{"scan-key"}, {"scan-key", "u@h"}, {"scan-key", "h:0"}, {"scan-key", "h:x"}, {"scan-key", "--", "-oProxyCommand=x"}, {"paint"},
	} {
		_, errOut, status := ketter(t, append([]string{"portals", "--api", "http://127.0.0.1:1"}, args...)...)
		if status != failure.InvalidRequest.ExitStatus() || !strings.Contains(errOut, "hint: ") {
			t.Errorf("%v: status %d\n%s", args, status, errOut)
		}
	}
}

func TestATestOfAPortalSaysWhatItFound(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer string
		status int
		says   []string
	}{
		"all is well": {`{"ok":true,"checks":[{"name":"connect","ok":true,"message":"m","seconds":0.0214}],"via":"agent","latency_seconds":0.0203,
			"free_bytes":1000000000000,"extensions_missing":["fsync@openssh.com"],"tools":["tar"]}`, 0,
			[]string{"ok  connect  0.021 s  m\n", "reached by agent, 20.3 ms a round trip", "missing there: fsync@openssh.com\n", "tools there: tar\n"}},
		"a key changed": {`{"ok":false,"checks":[{"name":"connect","ok":true,"message":"m"},{"name":"host key","ok":false,"code":"host_key_mismatch",
			"message":"\u001b[2J","hint":"Find out."}],"via":""}`, 42, []string{"FAILED  host key  0.000 s  \\x1b[2J", "hint: Find out."}},
	} {
		url, asked := api(t, 200, "application/json", test.answer)
		out, errOut, status := ketter(t, "portals", "test", "SRVTRF", "--api", url)
		if status != test.status || asked() != "POST /portals/SRVTRF/test" || errOut != "" {
			t.Errorf("%s: status %d\n%s%s", name, status, out, errOut)
		}
		for _, says := range test.says {
			if !strings.Contains(out, says) {
				t.Errorf("%s: not %q:\n%s", name, says, out)
			}
		}
	}
}

// What scan-key prints is for people, and --host-key takes it.
func TestScannedKeysAreShownToBeCompared(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(hostKeyFile(t))
	if err != nil {
		t.Fatal(err)
	}
	key := strings.TrimSpace(string(content))
	var asked string
	cmd := newPortalsScanKeyCommand(&portalOptions{}, func(_ context.Context, host string, port int) ([]string, error) {
		asked = net.JoinHostPort(host, fmt.Sprint(port))
		return []string{key}, nil
	})
	var out strings.Builder
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"[::1]:2222"})
	if err := cmd.ExecuteContext(t.Context()); err != nil || asked != "[::1]:2222" {
		t.Errorf("%s, %v", asked, err)
	}
	var keys []string
	for line := range strings.Lines(out.String()) {
		if !strings.HasPrefix(line, "#") {
			keys = append(keys, strings.TrimSpace(line))
		}
	}
	if len(keys) != 1 || keys[0] != key || !strings.Contains(out.String(), "# SHA256:") ||
		!strings.Contains(out.String(), "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub") {
		t.Errorf("%s", out.String())
	}
	for text, want := range map[string]string{"h": "h:22", "::1": "[::1]:22", "[::1]": "[::1]:22", "h:23": "h:23"} {
		if host, port, err := hostAndPort(text); err != nil || net.JoinHostPort(host, fmt.Sprint(port)) != want {
			t.Errorf("%s: %s %d %v", text, host, port, err)
		}
	}
}

// What a real server shows is what add takes, compared or not: that is for a person to do.
func TestARealHostIsScanned(t *testing.T) {
	t.Parallel()
	target := testsshd.Start(t, testsshd.Options{}).Target(1)
	out, errOut, status := ketter(t, "portals", "scan-key", net.JoinHostPort(target.Host, fmt.Sprint(target.Port)))
	if status != 0 || len(target.HostKeys) == 0 {
		t.Fatalf("status %d, %v\n%s", status, target.HostKeys, errOut)
	}
	for _, key := range target.HostKeys {
		if fingerprint, err := remote.Fingerprint(key); err != nil || !strings.Contains(out, fingerprint) {
			t.Errorf("%s, %v is not in\n%s", fingerprint, err, out)
		}
	}
	_, dbURL := testdb.New(t)
	s := setup(t, dbURL, "redis://"+miniredis.RunT(t).Addr())
	if out, errOut, status := ketter(t, "portals", "add", "P", "--kind", "sftp", "--host", "h", "--user", "u", "--root", "/r", "--host-key", file(t, "scanned", out),
		"--api", s.url); status != 0 || !strings.Contains(out, "SHA256:") {
		t.Errorf("status %d\n%s%s", status, out, errOut)
	}
	if _, errOut, status := ketter(t, "portals", "scan-key", "127.0.0.1:1"); status != failure.PortalUnreachable.ExitStatus() {
		t.Errorf("where nobody is: status %d\n%s", status, errOut)
	}
}

func TestASecretKeyIsFreshEachTime(t *testing.T) {
	t.Parallel()
	one, _, _ := ketter(t, "secret-key")
	two, _, status := ketter(t, "secret-key")
	if one == two || status != 0 || credentialsOf(t, strings.TrimSpace(one)).keys.Empty() {
		t.Errorf("%d: %q %q", status, one, two)
	}
}
