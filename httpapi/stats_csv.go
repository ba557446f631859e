package httpapi

import (
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ketter/ketter/db"
)

// Tables for spreadsheets, as RFC 4180 has them, but that lines end with LF: a CSV writer that ends them with CRLF alters the line
// ends within a path too. What is null is an empty cell.

// column is one of a table: its head, and its cell for a row.
type column[T any] struct {
	head string
	cell func(T) string
}

// jobAt is a job as it is at a time: a run that goes on has a duration so far.
type jobAt struct {
	db.Job
	now time.Time
}

var jobColumns = []column[jobAt]{
	{"id", func(j jobAt) string { return whole(j.ID) }},
	{"mode", func(j jobAt) string { return text(&j.Mode) }},
	{"status", func(j jobAt) string { return text(&j.Status) }},
	{"queue", func(j jobAt) string { return text(&j.Queue) }},
	{"priority", func(j jobAt) string { return whole(int64(j.Priority)) }},
	{"attempts", func(j jobAt) string { return whole(int64(j.Attempts)) }},
	{"strategy", func(j jobAt) string { return text(j.Strategy) }},
	{"source_path", func(j jobAt) string { return text(&j.SourcePath) }},
	{"destination_path", func(j jobAt) string { return text(&j.DestinationPath) }},
	{"source_portal", func(j jobAt) string { return text(j.SourcePortalName) }},
	{"destination_portal", func(j jobAt) string { return text(j.DestinationPortalName) }},
	{"files_copied", func(j jobAt) string { return whole(j.FilesCopied) }},
	{"bytes_copied", func(j jobAt) string { return whole(j.BytesCopied) }},
	{"duration_seconds", func(j jobAt) string { return number(durationSeconds(j.Job, j.now)) }},
	{"queued_seconds", func(j jobAt) string { return number(new(queuedSeconds(j.Job, j.now))) }},
	{"created_at", func(j jobAt) string { return moment(&j.CreatedAt) }},
	{"started_at", func(j jobAt) string { return moment(j.StartedAt) }},
	{"finished_at", func(j jobAt) string { return moment(j.FinishedAt) }},
	{"updated_at", func(j jobAt) string { return moment(&j.UpdatedAt) }},
	{"error_code", func(j jobAt) string { return text(j.ErrorCode) }},
	{"error_message", func(j jobAt) string { return text(j.ErrorMessage) }},
	{"error_path", func(j jobAt) string { return text(j.ErrorPath) }},
	{"error_hint", func(j jobAt) string { return text(errorHint(j.Job)) }},
}

var summaryColumns = []column[db.SummaryGroup]{
	{"strategy", func(g db.SummaryGroup) string { return text(g.Strategy) }},
	{"mode", func(g db.SummaryGroup) string { return text(&g.Mode) }},
	{"source_portal", func(g db.SummaryGroup) string { return text(g.SourcePortal) }},
	{"destination_portal", func(g db.SummaryGroup) string { return text(g.DestinationPortal) }},
	{"jobs", func(g db.SummaryGroup) string { return whole(g.Jobs()) }},
	{"succeeded", func(g db.SummaryGroup) string { return whole(g.Succeeded) }},
	{"failed", func(g db.SummaryGroup) string { return whole(g.Failed) }},
	{"cancelled", func(g db.SummaryGroup) string { return whole(g.Cancelled) }},
	{"unfinished", func(g db.SummaryGroup) string { return whole(g.Unfinished) }},
	{"files", func(g db.SummaryGroup) string { return whole(g.Files) }},
	{"bytes", func(g db.SummaryGroup) string { return whole(g.Bytes) }},
	{"duration_median_seconds", func(g db.SummaryGroup) string { return number(g.MedianSeconds) }},
	{"duration_p95_seconds", func(g db.SummaryGroup) string { return number(g.P95Seconds) }},
	{"mb_per_second", func(g db.SummaryGroup) string { return number(g.MBPerSecond) }},
	{"files_per_second", func(g db.SummaryGroup) string { return number(g.FilesPerSecond) }},
	{"failures", failuresCell},
}

// jobsCSV writes jobs as a table, one a line.
func jobsCSV(w io.Writer, jobs []db.Job, now time.Time) error {
	return writeCSV(w, jobColumns, func(yield func(jobAt) bool) {
		for _, job := range jobs {
			if !yield(jobAt{job, now}) {
				return
			}
		}
	})
}

// summaryCSV writes a summary as a table, one group a line.
func summaryCSV(w io.Writer, groups []db.SummaryGroup) error {
	return writeCSV(w, summaryColumns, slices.Values(groups))
}

// writeCSV hands lines on as they are made, a few KiB at a time.
func writeCSV[T any](w io.Writer, columns []column[T], rows func(yield func(T) bool)) error {
	table := csv.NewWriter(w)
	line := make([]string, len(columns))
	for i, column := range columns {
		line[i] = column.head
	}
	err := table.Write(line)
	for row := range rows {
		if err != nil {
			break
		}
		for i, column := range columns {
			line[i] = column.cell(row)
		}
		err = table.Write(line)
	}
	if err != nil {
		return err
	}
	table.Flush()
	return table.Error()
}

// text is a cell that no spreadsheet computes: paths and messages come from outside, and one that begins with = would be a
// formula. Which beginnings: https://owasp.org/www-community/attacks/CSV_Injection.
func text[T ~string](value *T) string {
	if value == nil {
		return ""
	}
	first, _ := utf8.DecodeRuneInString(string(*value))
	if *value != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) {
		return "'" + string(*value)
	}
	return string(*value)
}

func whole(n int64) string { return strconv.FormatInt(n, 10) }

// number has six decimals at most: PostgreSQL's times have no more.
func number(n *float64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatFloat(math.Round(*n*1e6)/1e6, 'f', -1, 64)
}

func moment(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func errorHint(job db.Job) *string {
	if job.ErrorCode != nil && orZero(job.ErrorHint) == "" {
		return new(job.ErrorCode.Hint())
	}
	return job.ErrorHint
}

// failuresCell is as `destination_exists 2, io_error 12`.
func failuresCell(g db.SummaryGroup) string {
	var all []string
	for _, code := range slices.Sorted(maps.Keys(g.Failures)) {
		all = append(all, fmt.Sprintf("%s %d", code, g.Failures[code]))
	}
	return text(new(strings.Join(all, ", ")))
}
