package httpapi

import (
	"bytes"
	"encoding/csv"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// failedJob is one with something in every column.
func failedJob() db.Job {
	return db.Job{
		ID: 7, Mode: transfer.Copy, Status: transfer.Failed, Queue: "default", Priority: 2, Attempts: 1, Strategy: new(transfer.Direct),
		SourcePath: `/data/a "b", c`, DestinationPath: "/data/two\nlines", SourcePortalName: new("LAB"), SourcePortal: new(int64(1)),
		CreatedAt: noon, QueuedAt: noon, StartedAt: new(noon.Add(1500 * time.Millisecond)), FinishedAt: new(noon.Add(4 * time.Second)),
		UpdatedAt: noon.Add(4 * time.Second), ErrorCode: new(failure.IOError), ErrorMessage: new("=1+1"), ErrorPath: new("-rf"),
		ErrorHint: new("Look at the storage's own log."),
	}
}

func TestJobsAreATable(t *testing.T) {
	t.Parallel()
	var written bytes.Buffer
	pending := db.Job{ID: 8, Mode: transfer.Move, Status: transfer.Pending, Queue: "default", Priority: 2, SourcePath: "/a", DestinationPath: "/b",
		CreatedAt: noon, QueuedAt: noon, UpdatedAt: noon}
	if err := jobsCSV(&written, []db.Job{failedJob(), pending}, noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	want := `id,mode,status,queue,priority,attempts,strategy,source_path,destination_path,source_portal,destination_portal,files_copied,bytes_copied,` +
		`duration_seconds,queued_seconds,created_at,started_at,finished_at,updated_at,submitted_by,error_code,error_message,error_path,error_hint
7,copy,failed,default,2,1,DIRECT,"/data/a ""b"", c","/data/two
lines",LAB,,0,0,2.5,1.5,2026-05-04T12:00:00Z,2026-05-04T12:00:01.5Z,2026-05-04T12:00:04Z,2026-05-04T12:00:04Z,,io_error,'=1+1,'-rf,Look at the storage's own log.
8,move,pending,default,2,0,,/a,/b,,,0,0,,60,2026-05-04T12:00:00Z,,,2026-05-04T12:00:00Z,,,,,
`
	if written.String() != want {
		t.Errorf("%s\nwant\n%s", written.String(), want)
	}
}

func TestASummaryIsATable(t *testing.T) {
	t.Parallel()
	var written bytes.Buffer
	groups := []db.SummaryGroup{
		{Strategy: new(transfer.ZipFirst), Mode: transfer.Move, SourcePortal: new("LAB"), Succeeded: 3, Failed: 4, Cancelled: 5, Unfinished: 6, Files: 7, Bytes: 8,
			MedianSeconds: new(1.5), P95Seconds: new(2.25), MBPerSecond: new(1.0 / 3), FilesPerSecond: new(2.0),
			Failures: map[failure.Code]int64{failure.VerifyMismatch: 1, failure.IOError: 3}},
		{Mode: transfer.Copy, Unfinished: 1},
	}
	if err := summaryCSV(&written, groups); err != nil {
		t.Fatal(err)
	}
	want := `strategy,mode,source_portal,destination_portal,jobs,succeeded,failed,cancelled,unfinished,files,bytes,` +
		`duration_median_seconds,duration_p95_seconds,mb_per_second,files_per_second,failures
ZIP_FIRST,move,LAB,,18,3,4,5,6,7,8,1.5,2.25,0.333333,2,"io_error 3, verify_mismatch 1"
,copy,,,1,0,0,0,1,0,0,,,,,
`
	if written.String() != want {
		t.Errorf("%s\nwant\n%s", written.String(), want)
	}
}

func TestAnEmptyTableHasItsHead(t *testing.T) {
	t.Parallel()
	var written bytes.Buffer
	if err := summaryCSV(&written, nil); err != nil || strings.Count(written.String(), "\n") != 1 {
		t.Errorf("%q, %v", written.String(), err)
	}
}

// Even where the table is shorter than what is written at once.
func TestATableThatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	for _, jobs := range [][]db.Job{nil, slices.Repeat([]db.Job{failedJob()}, 100)} {
		if err := jobsCSV(failing{}, jobs, noon); !errors.Is(err, errFull) {
			t.Errorf("%d jobs: %v", len(jobs), err)
		}
	}
}

var errFull = errors.New("full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }

// FuzzCSV: whatever a path, a message or a name is, it is one cell of its line, as it was, and no spreadsheet computes it.
func FuzzCSV(f *testing.F) {
	f.Add("/data/in", "=cmd|' /C calc'!A0", "-1")
	f.Add("/\r\n,\"", "\t=1", "＝1")
	f.Add("'", "@SUM(A1)", "\\.")
	f.Fuzz(func(t *testing.T, path, message, name string) {
		texts := []string{path, message, name}
		if !utf8.ValidString(path + message + name) {
			return // PostgreSQL holds valid UTF-8 alone
		}
		job := failedJob()
		job.SourcePath, job.ErrorMessage, job.SourcePortalName = path, &message, &name
		var written bytes.Buffer
		if err := jobsCSV(&written, []db.Job{job, job}, noon); err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(&written).ReadAll() // of equal lengths, or it fails
		if err != nil || len(lines) != 3 {
			t.Fatalf("%d lines, %v", len(lines), err)
		}
		for i, head := range []string{"source_path", "error_message", "source_portal"} {
			cell := lines[2][slices.Index(lines[0], head)]
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n") {
				t.Errorf("%s begins as a formula: %q", head, cell)
			}
			// The reader makes CRLF an LF.
			was := strings.ReplaceAll(texts[i], "\r\n", "\n")
			if cell != was && cell != "'"+was {
				t.Errorf("%s is %q, was %q", head, cell, was)
			}
		}
	})
}
