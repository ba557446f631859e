package httpapi_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/httpapi"
	"github.com/ketter/ketter/infra/testsshd"
)

const aHostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBf2EPAG4xsAnmTEcbIvMpmEhLtgpBBHCpmzbCEVWmo7"

type portalAnswer struct {
	ID                  int64    `json:"id"`
	Name                string   `json:"name"`
	Kind                string   `json:"kind"`
	RootPath            string   `json:"root_path"`
	Host                *string  `json:"host"`
	Port                *int     `json:"port"`
	Username            *string  `json:"username"`
	HostKey             *string  `json:"host_key"`
	HostKeyFingerprints []string `json:"host_key_fingerprints"`
	Credential          struct {
		Kind     string `json:"kind"`
		Readable bool   `json:"readable"`
	} `json:"credential"`
	WorkerLabel              *string `json:"worker_label"`
	ZipThresholdFiles        *int64  `json:"zip_threshold_files"`
	ZipThresholdAvgSizeBytes *int64  `json:"zip_threshold_avg_size_bytes"`
	MaxConnections           int     `json:"max_connections"`
	AgentPath                *string `json:"agent_path"`
	SendAgent                bool    `json:"send_agent"`
	CreatedAt                string  `json:"created_at"`
	UpdatedAt                string  `json:"updated_at"`
}

// fieldsWith returns those of a good portal of kind sftp, with some of them set, or left out where the value is nil. A
// json.RawMessage stands as it is.
func fieldsWith(changes map[string]any) map[string]any {
	fields := map[string]any{
		"name": "SRVTRF", "kind": "sftp", "root_path": "/srv/data", "host": "srvtrf.example", "username": "ketter", "host_key": aHostKey,
	}
	maps.Copy(fields, changes)
	maps.DeleteFunc(fields, func(_ string, v any) bool { return v == nil })
	return fields
}

func encode(v any) string {
	encoded, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(encoded)
}

func sftpWith(changes map[string]any) string { return encode(fieldsWith(changes)) }

func localPortal(name, label string) string {
	fields := map[string]any{"name": name, "kind": "local", "root_path": "/mnt/" + name}
	if label != "" {
		fields["worker_label"] = label
	}
	return encode(fields)
}

func (f *fixture) addPortal(body string) (p portalAnswer) {
	f.t.Helper()
	f.send("POST", "/portals", body).into(f.t, http.StatusCreated, &p)
	return p
}

func privateKey(passphrase string) string {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	var block *pem.Block
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(key, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(block))
}

func TestAPortalIsKeptAsItWasGiven(t *testing.T) {
	f := setup(t)
	a := f.send("POST", "/portals", sftpWith(map[string]any{
		"root_path": "/srv//data/./x/", "port": 2222, "worker_label": "srvtrf", "zip_threshold_files": 0, "zip_threshold_avg_size_bytes": 1 << 40,
		"max_connections": 32, "agent_path": "/opt/ketter", "send_agent": true, "host_key": "# scanned\n\n" + aHostKey + " root@srvtrf\r\n",
		"credential": map[string]any{"password": "hunter2"},
	}))
	var p portalAnswer
	a.into(t, http.StatusCreated, &p)
	if a.Header.Get("Location") != fmt.Sprintf("/portals/%d", p.ID) {
		t.Errorf("Location %s", a.Header.Get("Location"))
	}
	if p.Name != "SRVTRF" || p.Kind != "sftp" || p.RootPath != "/srv/data/x" || *p.Host != "srvtrf.example" || *p.Port != 2222 || *p.Username != "ketter" ||
		*p.HostKey != aHostKey || *p.WorkerLabel != "srvtrf" || *p.ZipThresholdFiles != 0 || *p.ZipThresholdAvgSizeBytes != 1<<40 || p.MaxConnections != 32 ||
		*p.AgentPath != "/opt/ketter" || !p.SendAgent || p.Credential.Kind != "password" || !p.Credential.Readable {
		t.Errorf("%s", a.body)
	}
	if len(p.HostKeyFingerprints) != 1 || !strings.HasPrefix(p.HostKeyFingerprints[0], "SHA256:") {
		t.Errorf("fingerprints %v", p.HostKeyFingerprints)
	}
	if len(f.vault.sealed) != 1 || f.vault.sealed[0].Password != "hunter2" {
		t.Errorf("%d sealed", len(f.vault.sealed))
	}
	for _, ref := range []string{"SRVTRF", fmt.Sprint(p.ID)} {
		if got := f.get("/portals/" + ref); string(got.body) != string(a.body) {
			t.Errorf("by %s: %s", ref, got.body)
		}
	}
	var list struct{ Portals []portalAnswer }
	f.addPortal(localPortal("A", ""))
	f.get("/portals").into(t, http.StatusOK, &list)
	if len(list.Portals) != 2 || list.Portals[0].Name != "A" || list.Portals[0].HostKeyFingerprints == nil {
		t.Errorf("%+v", list)
	}
	f.send("POST", "/portals", localPortal("A", "")).isProblem(t, http.StatusConflict, "portal_exists")
}

func TestAPortalsDefaults(t *testing.T) {
	f := setup(t)
	p := f.addPortal(sftpWith(map[string]any{"worker_label": json.RawMessage("null"), "agent_path": json.RawMessage("null")}))
	if *p.Port != 22 || p.MaxConnections != 8 || p.SendAgent || p.AgentPath != nil || p.WorkerLabel != nil || p.ZipThresholdFiles != nil || p.Credential.Kind != "none" {
		t.Errorf("%+v", p)
	}
	if p := f.addPortal(localPortal("A", "lab")); p.Host != nil || p.Port != nil || *p.WorkerLabel != "lab" || p.MaxConnections != 8 {
		t.Errorf("%+v", p)
	}
}

func TestEachKindOfCredential(t *testing.T) {
	f := setup(t)
	for i, test := range []struct {
		kind       string
		credential map[string]any
		sealed     int
	}{
		{"key", map[string]any{"private_key": privateKey("")}, 1},
		{"key_with_passphrase", map[string]any{"private_key": privateKey("hunter2"), "passphrase": "hunter2"}, 1},
		{"password", map[string]any{"password": "hunter2"}, 1},
		{"agent", map[string]any{"agent": true}, 0}, // which is no secret
		{"none", nil, 0},
	} {
		f.vault.sealed = nil
		p := f.addPortal(sftpWith(map[string]any{"name": fmt.Sprintf("p%d", i), "credential": test.credential}))
		if p.Credential.Kind != test.kind || len(f.vault.sealed) != test.sealed {
			t.Errorf("%s: %+v, %d sealed", test.kind, p.Credential, len(f.vault.sealed))
		}
	}
}

func TestAnAPIWithoutAKeyTakesNoSecrets(t *testing.T) {
	f := setup(t)
	f.vault.err = failure.New(failure.InvalidRequest, "", "There is no key")
	f.send("POST", "/portals", sftpWith(map[string]any{"credential": map[string]any{"password": "hunter2"}})).isProblem(t, 400, "invalid_request")
	if n := f.count("portals"); n != 0 {
		t.Errorf("%d portals", n)
	}
	f.addPortal(sftpWith(map[string]any{"credential": map[string]any{"agent": true}}))
	f.exec("UPDATE portals SET credential = 'x', credential_kind = 'password'")
	var p portalAnswer
	f.get("/portals/SRVTRF").into(t, 200, &p)
	if p.Credential.Kind != "password" || p.Credential.Readable {
		t.Errorf("%+v", p.Credential)
	}
}

// A stored credential is never sent where it wasn't given for.
func TestAChangedPortalKeepsItsCredentialOnlyForTheSameHostAndUser(t *testing.T) {
	f := setup(t)
	id := f.addPortal(sftpWith(map[string]any{"credential": map[string]any{"password": "hunter2"}})).ID
	put := func(changes map[string]any) answer {
		return f.send("PUT", fmt.Sprintf("/portals/%d", id), sftpWith(changes))
	}
	_, otherKey := testsshd.NewKey(t, "")
	for _, changes := range []map[string]any{{"host": "other.example"}, {"port": 23}, {"username": "root"}, {"host_key": otherKey}} {
		if p := put(changes).isProblem(t, 400, "invalid_request"); !strings.Contains(p.Detail, "give it again") {
			t.Errorf("%v: %s", changes, p.Detail)
		}
	}
	var p portalAnswer
	put(map[string]any{"root_path": "/other", "name": "new"}).into(t, 200, &p)
	if p.Credential.Kind != "password" || p.RootPath != "/other" || p.Name != "new" || p.ID != id || len(f.vault.sealed) != 1 {
		t.Errorf("%+v", p)
	}
	put(map[string]any{"host": "other.example", "credential": map[string]any{"agent": true}}).into(t, 200, &p)
	if p.Credential.Kind != "agent" || *p.Host != "other.example" {
		t.Errorf("%+v", p)
	}
	put(map[string]any{"credential": json.RawMessage("null")}).into(t, 200, &p)
	if p.Credential.Kind != "none" || *p.Host != "srvtrf.example" {
		t.Errorf("%+v", p)
	}
	put(map[string]any{"credential": map[string]any{"password": "hunter2"}}).into(t, 200, &p)
	f.send("PUT", "/portals/SRVTRF", localPortal("SRVTRF", "")).into(t, 200, &p)
	if p.Kind != "local" || p.Credential.Kind != "none" || p.Host != nil {
		t.Errorf("%+v", p)
	}
	put(nil).into(t, 200, &p)
	if p.Credential.Kind != "none" {
		t.Errorf("a credential came back: %+v", p)
	}
	f.send("PUT", "/portals/none", sftpWith(nil)).isProblem(t, 404, "portal_not_found")
	f.addPortal(localPortal("A", ""))
	put(map[string]any{"name": "A"}).isProblem(t, 409, "portal_exists")
}

func TestAPortalInUseIsNotDeleted(t *testing.T) {
	f := setup(t)
	f.addPortal(sftpWith(nil))
	var job jobAnswer
	f.send("POST", "/jobs", `{"mode":"copy","source_path":"/data/a","destination_portal":"SRVTRF","destination_path":"/"}`).into(t, 201, &job)
	p := f.send("DELETE", "/portals/SRVTRF", "").isProblem(t, 409, "portal_in_use")
	if !strings.HasPrefix(p.Detail, fmt.Sprintf("Job %d uses it and has not ended", job.ID)) {
		t.Errorf("%s", p.Detail)
	}
	f.send("PUT", "/portals/SRVTRF", sftpWith(map[string]any{"root_path": "/other"})).isProblem(t, 409, "portal_in_use")
	f.send("PUT", "/portals/SRVTRF", sftpWith(map[string]any{"max_connections": 1})).into(t, 200, new(portalAnswer))
	f.send("POST", fmt.Sprintf("/jobs/%d/cancel", job.ID), "").into(t, 200, new(jobAnswer))
	if a := f.send("DELETE", "/portals/SRVTRF", ""); a.StatusCode != http.StatusNoContent || len(a.body) != 0 {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	f.send("DELETE", "/portals/SRVTRF", "").isProblem(t, 404, "portal_not_found")
	f.get(fmt.Sprintf("/jobs/%d", job.ID)).into(t, 200, &job)
	if *job.DestinationPortal != "SRVTRF" || job.SourcePortal != nil || job.DestinationPath != "/" {
		t.Errorf("%+v", job)
	}
	f.send("POST", fmt.Sprintf("/jobs/%d/retry", job.ID), "").isProblem(t, 404, "portal_not_found")
}

// tester answers every test.
type tester struct {
	report httpapi.PortalReport
	err    error
	asked  []int64
}

func (t *tester) Test(ctx context.Context, id int64) (httpapi.PortalReport, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		return t.report, errors.New("a test without an end")
	}
	t.asked = append(t.asked, id)
	return t.report, t.err
}

func TestAPortalIsTested(t *testing.T) {
	f := setup(t)
	p := f.addPortal(sftpWith(nil))
	f.send("POST", "/portals/SRVTRF/test", "").isProblem(t, 404, "not_found")
	found := &tester{report: httpapi.PortalReport{OK: true, Via: "agent", FreeBytes: 7, Checks: []httpapi.PortalCheck{{Name: "connect", OK: true, Message: "m"}}}}
	f.options.PortalTester = found
	var report httpapi.PortalReport
	a := f.send("POST", "/portals/SRVTRF/test", "{}")
	a.into(t, 200, &report)
	if !report.OK || report.Via != "agent" || report.FreeBytes != 7 || report.Tools == nil || !slices.Equal(found.asked, []int64{p.ID}) {
		t.Errorf("%s of %v", a.body, found.asked)
	}
	found.err = failure.New(failure.PortalAuthFailed, "", "The key is not that of the credential")
	f.send("POST", "/portals/SRVTRF/test", "").isProblem(t, 502, "portal_auth_failed")
	f.send("POST", "/portals/none/test", "").isProblem(t, 404, "portal_not_found")
	f.send("POST", "/portals/SRVTRF/test", "", "Content-Type", "text/plain").isProblem(t, 415, "unsupported_media_type")
}
