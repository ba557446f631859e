package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestCreateJobRecordsRowEventAndRiverJob(t *testing.T) {
	f := setup(t)
	a := f.send("POST", "/jobs", `{"source_path":"/data//in/./session 1/","destination_path":"/mnt/nexis","mode":"move","strategy":"ZIP_FIRST","verify":"size"}`)
	var job jobAnswer
	a.into(t, http.StatusCreated, &job)
	if want := fmt.Sprintf("/jobs/%d", job.ID); a.Header.Get("Location") != want {
		t.Errorf("Location %q, want %q", a.Header.Get("Location"), want)
	}
	if job.SourcePath != "/data/in/session 1" || job.DestinationPath != "/mnt/nexis" || job.Mode != "move" || job.Status != "pending" {
		t.Errorf("the job is not what was asked for: %s", a.body)
	}
	if job.Strategy != nil || job.DurationSeconds != nil || job.StartedAt != nil || job.Error != nil {
		t.Errorf("a job that waits has no strategy, run or error: %s", a.body)
	}
	var matching int
	err := f.store.Pool().QueryRow(t.Context(), `SELECT count(*) FROM jobs j
		JOIN river_job r ON r.id = j.river_job_id AND r.args = jsonb_build_object('job_id', j.id)
		JOIN job_events e ON e.job_id = j.id AND e.seq = 1 AND e.kind = 'created'
		WHERE j.requested_strategy = 'ZIP_FIRST' AND j.verify = 'size'`).Scan(&matching)
	if err != nil || matching != 1 {
		t.Errorf("%d rows with their River job and event, %v", matching, err)
	}
}

func TestCreateJobDefaults(t *testing.T) {
	f := setup(t)
	a := f.send("POST", "/jobs", `{"mode":"copy","source_path":"/data/a","destination_path":"/data2/../data/b"}`,
		"Content-Type", "application/json; charset=UTF-8")
	a.into(t, http.StatusCreated, new(jobAnswer))
	var detail struct {
		RequestedStrategy string `json:"requested_strategy"`
		Verify            string `json:"verify"`
	}
	if err := json.Unmarshal(f.get(a.Header.Get("Location")+"/detail").body, &detail); err != nil {
		t.Fatal(err)
	}
	if detail.RequestedStrategy != "AUTO" || detail.Verify != "checksum" {
		t.Errorf("defaults: %+v", detail)
	}
}

func TestCreateJobWithoutRiverJobLeavesNoRow(t *testing.T) {
	f := setup(t)
	f.exec(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a secret of the database'; END $$`)
	f.exec(`CREATE TRIGGER refuse BEFORE INSERT ON river_job FOR EACH ROW EXECUTE FUNCTION refuse()`)
	a := f.send("POST", "/jobs", `{"mode":"copy","source_path":"/data/a","destination_path":"/data/b"}`)
	a.isProblem(t, http.StatusInternalServerError, "internal")
	if strings.Contains(string(a.body), "secret") {
		t.Errorf("the database's own text got out: %s", a.body)
	}
	if !strings.Contains(f.log.String(), "a secret of the database") {
		t.Error("the log doesn't hold the cause")
	}
	f.nothingInserted()
}

// body returns a good job with one field set, or left out when value is "".
func body(field, value string) string {
	fields := map[string]string{"mode": `"copy"`, "source_path": `"/data/a"`, "destination_path": `"/data/b"`}
	fields[field] = value
	var members []string
	for name, v := range fields {
		if v != "" {
			members = append(members, fmt.Sprintf("%q:%s", name, v))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

type badBody struct {
	name, body string
	status     int
	code       string
	says       string // in the detail
}

func badBodies() []badBody {
	const bad = http.StatusBadRequest
	move := func(source, destination string) string {
		return fmt.Sprintf(`{"mode":"move","source_path":%q,"destination_path":%q}`, source, destination)
	}
	return []badBody{
		{"empty", "", bad, "invalid_request", "empty"},
		{"blank", " \n", bad, "invalid_request", "empty"},
		{"not JSON", "source=/data/a", bad, "invalid_request", "not valid JSON"},
		{"cut short", `{"mode":"copy"`, bad, "invalid_request", "not valid JSON"},
		{"trailing data", body("", "") + "{}", bad, "invalid_request", "after top-level value"},
		{"an array", `[]`, bad, "invalid_request", "an array"},
		{"null", `null`, bad, "invalid_request", "null"},
		{"too deep", strings.Repeat("[", 20000), bad, "invalid_request", "not valid JSON"},
		{"not UTF-8", body("source_path", "\"/data/\xff\""), bad, "invalid_request", "UTF-8"},
		{"too large", body("source_path", `"/data/`+strings.Repeat("a", 1<<20)+`"`), 413, "body_too_large", "1048576"},
		{"unknown field", body("overwrite", `true`), bad, "invalid_request", "a job has source_path, destination_path, source_portal, destination_portal, mode, strategy, verify, queue, priority, dry_run"},
		{"field in another case", body("Mode", `"copy"`), bad, "invalid_request", `"Mode"`},
		{"field twice", `{"mode":"copy","mode":"move","source_path":"/data/a","destination_path":"/data/b"}`, bad, "invalid_request", "twice"},
		{"field twice, once escaped", `{"mode":"copy","mod\u0065":"move"}`, bad, "invalid_request", "twice"},
		{"source portal empty", body("source_portal", `""`), bad, "invalid_request", `source_portal is ""; it must be the name of a portal or its id`},
		{"destination portal null", body("destination_portal", `null`), bad, "invalid_request", "destination_portal must be the name of a portal or its id; it is null"},
		{"no mode", body("mode", ""), bad, "invalid_request", "mode is missing; it must be copy or move"},
		{"wrong mode", body("mode", `"COPY"`), bad, "invalid_request", "copy or move"},
		{"mode a number", body("mode", `1`), bad, "invalid_request", "mode must be copy or move; it is a number"},
		{"mode null", body("mode", `null`), bad, "invalid_request", "it is null"},
		{"wrong strategy", body("strategy", `"zip"`), bad, "invalid_request", "AUTO, DIRECT or ZIP_FIRST"},
		{"empty strategy", body("strategy", `""`), bad, "invalid_request", "AUTO, DIRECT or ZIP_FIRST"},
		{"wrong verify", body("verify", `"md5"`), bad, "invalid_request", "checksum, size or none"},
		{"verify a boolean", body("verify", `false`), bad, "invalid_request", "a boolean"},
		{"queue in capitals", body("queue", `"Default"`), bad, "invalid_request", "lower-case"},
		{"queue empty", body("queue", `""`), bad, "invalid_request", "lower-case"},
		{"queue with doubled dash", body("queue", `"a--b"`), bad, "invalid_request", "lower-case"},
		{"queue ends with a line", body("queue", `"a\n"`), bad, "invalid_request", "lower-case"},
		{"queue too long", body("queue", `"`+strings.Repeat("q", 65)+`"`), bad, "invalid_request", "64 at most"},
		{"queue a number", body("queue", `1`), bad, "invalid_request", "queue must be lower-case letters and digits"},
		{"priority 0", body("priority", `0`), bad, "invalid_request", "1, 2, 3 or 4"},
		{"priority 5", body("priority", `5`), bad, "invalid_request", "1, 2, 3 or 4"},
		{"priority wraps", body("priority", `65537`), bad, "invalid_request", "1, 2, 3 or 4"},
		{"priority a string", body("priority", `"1"`), bad, "invalid_request", "the number"},
		{"priority a fraction", body("priority", `1.5`), bad, "invalid_request", "the number"},
		{"priority a whole fraction", body("priority", `2.0`), bad, "invalid_request", "priority is 2.0; write it with digits alone"},
		{"source portal a whole fraction", body("source_portal", `1.0`), bad, "invalid_request", "source_portal is 1.0; write it with digits alone"},
		{"destination portal with an exponent", body("destination_portal", `1e0`), bad, "invalid_request", "without an exponent"},
		{"priority null", body("priority", `null`), bad, "invalid_request", "the number"},
		{"no source", body("source_path", ""), bad, "invalid_request", "source_path is missing"},
		{"empty destination", body("destination_path", `""`), bad, "invalid_request", "destination_path is missing or empty"},
		{"source an object", body("source_path", `{"path":"/data/a"}`), bad, "invalid_request", "an object"},
		{"source a list", body("source_path", `["/data/a"]`), bad, "invalid_request", "an array"},
		{"relative source", body("source_path", `"data/a"`), bad, "invalid_request", "not absolute"},
		{"relative destination", body("destination_path", `"../data"`), bad, "invalid_request", "not absolute"},
		{"NUL in source", body("source_path", `"/data/a\u0000b"`), bad, "invalid_request", "NUL"},
		{"lone surrogate", body("source_path", `"/data/\ud800"`), bad, "invalid_request", "not valid Unicode"},
		{"path too long", body("source_path", `"/data/`+strings.Repeat("a", 32<<10)+`"`), bad, "invalid_request", "longer than 32768 bytes"},
		{"source is /", body("source_path", `"/data/.."`), bad, "invalid_request", "root of the file system"},
		{"source outside", body("source_path", `"/etc/passwd"`), 403, "path_not_allowed", "source_path is outside the allowed roots: /data, /mnt/nexis"},
		{"source beside a root", body("source_path", `"/data2/a"`), 403, "path_not_allowed", "source_path"},
		{"source leads out", body("source_path", `"/data/../etc"`), 403, "path_not_allowed", "source_path"},
		{"destination outside", body("destination_path", `"/tmp"`), 403, "path_not_allowed", "destination_path"},
		{"destination is /", body("destination_path", `"/"`), 403, "path_not_allowed", "destination_path"},
		{"a root moved", move("/data/", "/mnt/nexis"), 403, "path_not_allowed", "would remove an allowed root"},
		{"destination inside source", body("destination_path", `"/data/a/b"`), 422, "destination_inside_source", "Choose a destination outside"},
		{"destination is source", body("destination_path", `"/data/a"`), 422, "destination_inside_source", "inside"},
		{"source in destination", body("destination_path", `"/data"`), 422, "source_inside_destination", "already lies"},
	}
}

func TestCreateJobRefusesBadInputAndInsertsNothing(t *testing.T) {
	f := setup(t)
	for _, c := range badBodies() {
		t.Run(c.name, func(t *testing.T) {
			p := f.send("POST", "/jobs", c.body).isProblem(t, c.status, c.code)
			if !strings.Contains(p.Detail, c.says) {
				t.Errorf("the detail doesn't say %q: %s", c.says, p.Detail)
			}
		})
	}
	f.nothingInserted()
}

func TestCreateJobTakesJSONOnly(t *testing.T) {
	f := setup(t)
	for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", ";"} {
		p := f.send("POST", "/jobs", body("", ""), "Content-Type", contentType).isProblem(t, 415, "unsupported_media_type")
		if !strings.Contains(p.Detail, "-H 'Content-Type: application/json'") {
			t.Errorf("the detail doesn't say what to add: %s", p.Detail)
		}
	}
	f.send("POST", "/jobs?dry_run=1", body("", "")).isProblem(t, 400, "invalid_request")
	f.nothingInserted()
}

func TestCreateJobAcceptsWhatIsUnusualButRight(t *testing.T) {
	f := setup(t)
	for _, c := range []string{
		body("source_path", `"/data/.hidden/..a"`),
		body("source_path", `"/data/line\nbreak & <b>"`),
		body("source_path", `"/data/\ud83c\udfac 映画"`),
		body("source_path", `"/data"`) /* a copy of a root */, body("destination_path", `"/mnt/nexis/"`),
	} {
		c = strings.Replace(c, `"/data/b"`, `"/mnt/nexis/x"`, 1)
		f.send("POST", "/jobs", c).into(t, http.StatusCreated, new(jobAnswer))
	}
}
