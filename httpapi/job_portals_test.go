package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestJobsNamePortalsAndPathsInside(t *testing.T) {
	f := setup(t)
	lab, srv := f.addPortal(localPortal("LAB", "lab")), f.addPortal(sftpWith(map[string]any{"worker_label": "srvtrf"}))
	var job jobAnswer
	a := f.send("POST", "/jobs", fmt.Sprintf(`{"mode":"move","source_portal":"LAB","source_path":"a//b/","destination_portal":%d,"destination_path":"/x/./y"}`, srv.ID))
	a.into(t, 201, &job)
	if *job.SourcePortal != "LAB" || *job.DestinationPortal != "SRVTRF" || job.SourcePath != "/a/b" || job.DestinationPath != "/x/y" || job.Queue != "lab" {
		t.Errorf("%s", a.body)
	}
	var detail map[string]any
	if err := json.Unmarshal(f.get(a.Header.Get("Location")+"/detail").body, &detail); err != nil {
		t.Fatal(err)
	}
	if detail["source_portal_id"] != float64(lab.ID) || detail["destination_portal_id"] != float64(srv.ID) {
		t.Errorf("%v", detail)
	}
	// The same path in two places is two paths.
	f.send("POST", "/jobs", fmt.Sprintf(`{"mode":"copy","source_portal":"%d","source_path":"/in/c","destination_portal":"SRVTRF","destination_path":"/in"}`, lab.ID)).into(t, 201, &job)
	if job.SourcePath != "/in/c" {
		t.Errorf("%+v", job)
	}
	f.addPortal(localPortal("OTHER", "other"))
	for name, test := range map[string]struct {
		body   string
		status int
		code   string
		says   string
	}{
		"no such portal":              {`{"mode":"copy","source_portal":"LOB","source_path":"/a","destination_path":"/data"}`, 404, "portal_not_found", `"LOB"`},
		"no such id":                  {`{"mode":"copy","source_portal":99,"source_path":"/a","destination_path":"/data"}`, 404, "portal_not_found", `"99"`},
		"negative id":                 {`{"mode":"copy","source_portal":-1,"source_path":"/a","destination_path":"/data"}`, 400, "invalid_request", "source_portal is -1"},
		"a portal's name with a line": {`{"mode":"copy","source_portal":"LAB\n","source_path":"/a","destination_path":"/data"}`, 404, "portal_not_found", "LAB"},
		"up and away":                 {`{"mode":"copy","source_portal":"LAB","source_path":"/a/../../b","destination_path":"/data"}`, 400, "invalid_request", `".."`},
		"no path":                     {`{"mode":"copy","source_portal":"LAB","destination_path":"/data"}`, 400, "invalid_request", "source_path is missing"},
		"raw destination":             {`{"mode":"copy","source_portal":"LAB","source_path":"/a","destination_path":"/etc"}`, 403, "path_not_allowed", "allowed roots"},
		"moves the root":              {`{"mode":"move","source_portal":"LAB","source_path":"/","destination_path":"/data"}`, 400, "invalid_request", "the whole portal"},
		"copies the root":             {`{"mode":"copy","source_portal":"LAB","source_path":"/","destination_path":"/data"}`, 400, "invalid_request", "the whole portal"},
		"into itself":                 {`{"mode":"copy","source_portal":"LAB","source_path":"/a","destination_portal":"LAB","destination_path":"/a/b"}`, 422, "destination_inside_source", "inside"},
		"root into itself":            {`{"mode":"copy","source_portal":"LAB","source_path":"/","destination_portal":"LAB","destination_path":"/a/b"}`, 400, "invalid_request", "the whole portal"},
		"where it lies":               {`{"mode":"copy","source_portal":"LAB","source_path":"/a/b","destination_portal":"LAB","destination_path":"/a"}`, 422, "source_inside_destination", "already"},
		"no way between":              {`{"mode":"copy","source_portal":"LAB","source_path":"/a","destination_portal":"OTHER","destination_path":"/a"}`, 400, "invalid_request", "no SSH between them"},
		"a queue of others":           {`{"mode":"copy","source_portal":"LAB","source_path":"/a","destination_path":"/data","queue":"nexis"}`, 400, "invalid_request", "labelled lab"},
	} {
		if p := f.send("POST", "/jobs", test.body).isProblem(t, test.status, test.code); !strings.Contains(p.Detail, test.says) {
			t.Errorf("%s: %s", name, p.Detail)
		}
	}
}
