package soak

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ketter/ketter/infra/bed"
)

// judge proves that what a job says is so, and removes what it was about.
func (s *soak) judge(j *job) {
	s.Helper()
	before := s.Failed()
	found, err := s.ketter.API.Detail(s.Context(), j.id)
	must(s.T, err)
	outcome := found.Status
	if found.Error != nil {
		outcome += " " + found.Error.Code
	}
	source, arrived := s.tree(j.sourcePath(s)), s.tree(j.finalPath(s))
	switch {
	case found.Status == "success" && j.doomed == "":
		s.same(j.String()+": what arrived", j.source, arrived, j.exact())
		if j.Mode == "copy" {
			s.same(j.String()+": its source", j.source, source, time.Nanosecond)
		} else if source != nil {
			s.Errorf("%v: its source is still there", j)
		}
	case j.doomed != "" && outcome == "failed "+j.doomed:
		s.same(j.String()+": its source", j.source, source, time.Nanosecond)
		s.same(j.String()+": what was there", j.there, arrived, time.Nanosecond)
	default:
		s.Errorf("%v ended as %s, and should be %q", j, outcome, j.doomed)
	}
	s.leftovers(j)
	s.history(j, found)
	if s.Failed() && !before {
		s.Fatalf("%s", s.told(j)) // what comes after adds nothing
	}
	s.ended, s.attempts = s.ended+1, s.attempts+found.Attempts
	s.outcomes[fmt.Sprintf("%s: %s → %s %s", outcome, j.SourcePortal, j.DestinationPortal, j.Strategy)]++
	for _, path := range []string{filepath.Dir(j.sourcePath(s)), j.destinationPath(s)} {
		must(s.T, os.RemoveAll(path))
	}
}

// exact is how exact times are kept: SFTP knows whole seconds.
func (j *job) exact() time.Duration {
	if j.SourcePortal == sftpOnly || j.DestinationPortal == sftpOnly {
		return time.Second
	}
	return time.Nanosecond
}

// leftovers looks for what nobody asked for beside the source and the result. Staging goes after the job has ended.
func (s *soak) leftovers(j *job) {
	s.Helper()
	var found []string
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(tick) {
		found = nil
		for _, folder := range []string{filepath.Dir(j.sourcePath(s)), j.destinationPath(s)} {
			entries, err := os.ReadDir(folder)
			if err != nil && !os.IsNotExist(err) {
				must(s.T, err)
			}
			for _, e := range entries {
				if e.Name() != filepath.Base(j.Source) {
					found = append(found, filepath.Join(folder, e.Name()))
				}
			}
		}
		if len(found) == 0 || time.Now().After(deadline) {
			break
		}
	}
	if len(found) > 0 {
		s.Errorf("%v left %q", j, found)
	}
	if j.doomed == "source_not_found" {
		if _, err := os.Lstat(j.destinationPath(s)); err == nil {
			s.Errorf("%v made its destination", j)
		}
	}
}

// history looks whether the job's row and events tell what happened.
func (s *soak) history(j *job, found bed.Job) {
	s.Helper()
	var kinds []string
	for n, event := range found.Events {
		kinds = append(kinds, event.Kind)
		if event.Seq != int64(n+1) {
			s.Errorf("%v: event %d has the number %d", j, n+1, event.Seq)
		}
	}
	last := "finished"
	if j.doomed != "" {
		last = "error"
	}
	if len(kinds) < 3 || kinds[0] != "created" || !slices.Contains(kinds, "started") || !slices.Contains(kinds, last) {
		s.Errorf("%v: its events are %v", j, kinds)
	}
	if found.DurationSeconds == nil || *found.DurationSeconds < 0 {
		s.Errorf("%v has no duration", j)
	}
	files, bytes := j.source.files()
	if j.doomed == "" && (found.FilesCopied != files || found.BytesCopied != bytes) {
		s.Errorf("%v: says %d files and %d bytes, and they are %d and %d", j, found.FilesCopied, found.BytesCopied, files, bytes)
	}
}

// nothingPartial looks at a job that runs, now and then: what is under its final name is whole, or isn't there yet. Over SFTP an
// empty folder may hold the name for a moment, which is how a rename is kept from replacing anything.
func (s *soak) nothingPartial(j *job) {
	s.Helper()
	if j.looked++; j.looked%5 > 0 || j.there != nil {
		return
	}
	if _, err := os.Lstat(j.finalPath(s)); err != nil {
		return
	}
	arrived := s.tree(j.finalPath(s))
	if j.DestinationPortal == sftpOnly && len(arrived) == 1 && j.shape != single {
		return
	}
	files, bytes := arrived.files()
	if wantFiles, wantBytes := j.source.files(); files != wantFiles || bytes != wantBytes {
		s.Errorf("%v: %d of %d files and %d of %d bytes are under its final name while it runs", j, files, wantFiles, bytes, wantBytes)
	}
}

// nothingElse looks for what no job has to do with, once all have ended.
func (s *soak) nothingElse() {
	s.Helper()
	for _, root := range []string{s.roots[lab], s.roots[srvtrf]} {
		entries, err := os.ReadDir(root)
		must(s.T, err)
		for _, e := range entries {
			s.Errorf("nobody asked for %s", filepath.Join(root, e.Name()))
		}
	}
}

// told is the history of a job.
func (s *soak) told(j *job) string {
	s.Helper()
	found, err := s.ketter.API.Detail(s.Context(), j.id)
	must(s.T, err)
	lines := []string{fmt.Sprintf("%v is %s %+v after %d attempts:", j, found.Status, found.Error, found.Attempts)}
	for _, event := range found.Events {
		lines = append(lines, fmt.Sprintf("%3d %s: %s", event.Seq, event.Kind, event.Message))
	}
	return strings.Join(lines, "\n")
}
