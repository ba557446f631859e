package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/httpapi"
	"github.com/ketter/ketter/infra/testdb"
)

// plan asks the API for the plan of a job.
func (s site) plan(body map[string]string) (plan httpapi.Plan) {
	s.t.Helper()
	asked := map[string]any{"dry_run": true}
	for name, value := range body {
		asked[name] = value
	}
	payload, err := json.Marshal(asked)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := http.Post(s.url+"/jobs", "application/json", bytes.NewReader(payload))
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil {
		err = json.Unmarshal(answer, &plan)
	}
	if err != nil || response.StatusCode != http.StatusOK {
		s.t.Fatalf("status %d, %v: %s", response.StatusCode, err, answer)
	}
	return plan
}

func TestAJobsPlanComesTrue(t *testing.T) {
	t.Parallel()
	store, dbURL := testdb.New(t)
	s := setup(t, dbURL, "redis://"+miniredis.RunT(t).Addr(), "KETTER_ZIP_THRESHOLD_FILES=2")
	source := filepath.Join(s.root, "in", "session")
	makeFolder(t, source, 5)
	ketterPortals(t, s, "add", "IN", "--kind", "local", "--root", filepath.Join(s.root, "in"))
	ketterPortals(t, s, "add", "THERE", "--kind", "local", "--root", filepath.Join(s.root, "out"), "--label", "there")
	copying := map[string]string{"source_portal": "IN", "source_path": "/session", "destination_path": filepath.Join(s.root, "out"), "mode": "copy"}
	plan := s.plan(copying)
	if !plan.OK || *plan.Strategy != "ZIP_FIRST" || *plan.Method != "archive" || plan.Files != 5 || *plan.SourcePortal != "IN" ||
		plan.Queue != "default" || plan.FinalPath != filepath.Join(s.root, "out", "session") {
		t.Errorf("the plan is %+v", plan)
	}
	if _, err := os.Stat(filepath.Join(s.root, "out")); !os.IsNotExist(err) {
		t.Errorf("a plan has made the destination: %v", err)
	}
	var jobs int
	if err := store.Pool().QueryRow(t.Context(), "SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM river_job WHERE kind = 'transfer')").Scan(&jobs); err != nil || jobs != 0 {
		t.Errorf("%d jobs were recorded (%v)", jobs, err)
	}
	done := s.finished(s.post(copying).ID)
	if done.Status != "success" || done.Strategy != string(*plan.Strategy) || done.Method != string(*plan.Method) ||
		done.FilesCopied != plan.Files || done.BytesCopied != plan.Bytes {
		t.Errorf("planned %+v, done %+v", plan, done)
	}
	plan = s.plan(copying)
	failed := s.finished(s.post(copying).ID)
	if plan.OK || failed.Error == nil || string(plan.Problems[0].Code) != failed.Error.Code || plan.Problems[0].Message != failed.Error.Message {
		t.Errorf("planned %+v, failed with %+v", plan.Problems, failed.Error)
	}
	moving := maps.Clone(copying)
	moving["mode"], moving["destination_portal"], moving["destination_path"] = "move", "THERE", "/"
	plan = s.plan(moving)
	if plan.OK || plan.Queue != "there" || plan.Problems[0].Code != failure.InvalidRequest || !strings.Contains(plan.Problems[0].Message, "can't be judged from here") {
		t.Errorf("the plan is %+v", plan)
	}
}

func ketterPortals(t *testing.T, s site, args ...string) {
	t.Helper()
	if out, errOut, status := ketter(t, append([]string{"portals", "--api", s.url}, args...)...); status != 0 {
		t.Fatalf("%v: %s%s", args, out, errOut)
	}
}

func TestADryRunTellsWhatATransferWouldDo(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	source, destination := filepath.Join(folder, "session"), filepath.Join(folder, "out")
	makeFolder(t, source, 3)
	args := []string{"transfer", "--from", source, "--to", destination, "--mode", "move"}
	out, errOut, status := ketter(t, append(args, "--dry-run")...)
	for _, says := range []string{"Would move " + source, "to " + filepath.Join(destination, "session"), "3 files", "DIRECT, by rename", "Nothing is known that would fail"} {
		if !strings.Contains(out, says) {
			t.Errorf("it doesn't say %q:\n%s", says, out)
		}
	}
	if _, err := os.Stat(destination); status != 0 || errOut != "" || !os.IsNotExist(err) {
		t.Errorf("status %d, %v: %s", status, err, errOut)
	}
	out, _, status = ketter(t, append(args, "--dry-run", "--json")...)
	var plan map[string]any
	if err := json.Unmarshal([]byte(out), &plan); err != nil || status != 0 || plan["message_type"] != "plan" || plan["ok"] != true || plan["method"] != "rename" {
		t.Errorf("status %d, %v: %s", status, err, out)
	}
	if _, there := plan["queue"]; there {
		t.Error("it names a queue, and there is none")
	}
	if err := os.MkdirAll(filepath.Join(destination, "session"), 0o755); err != nil {
		t.Fatal(err)
	}
	out, errOut, status = ketter(t, append(args, "--dry-run")...)
	if status != failure.DestinationExists.ExitStatus() || errOut != "" || !strings.Contains(out, "code: destination_exists\n    hint: ") {
		t.Errorf("status %d\n%s%s", status, out, errOut)
	}
}
