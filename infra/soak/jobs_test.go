package soak

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/ketter/ketter/infra/bed"
)

// job is what was asked for, and what was where before.
type job struct {
	bed.Order
	id     int64
	shape  shape
	source tree
	there  tree   // under the final name already
	doomed string // the code that it must end with; "" for what must succeed
	looked int    // how often, while it ran
}

// ways are from where to where; the usual ones are more often.
var ways = [][2]string{
	{lab, srvtrf}, {lab, srvtrf}, {srvtrf, lab}, {srvtrf, lab}, {lab, sftpOnly}, {sftpOnly, lab}, {srvtrf, sftpOnly}, {lab, lab},
}

// submit makes a source and posts a job: half of them are moves, some can't succeed.
func (s *soak) submit() {
	s.Helper()
	s.posted++
	way := ways[s.chance.IntN(len(ways))]
	j := &job{Order: bed.Order{
		SourcePortal: way[0], Source: fmt.Sprintf("/from %d/%s", s.posted, pick(s, "session", "Füße & café", "-take;1", "42%")),
		DestinationPortal: way[1], Destination: fmt.Sprintf("/to %d", s.posted),
		Mode: pick(s, "copy", "move"), Strategy: pick(s, "AUTO", "DIRECT", "ZIP_FIRST"),
	}}
	if j.shape = pick(s, manySmall, fewLarge, mixed, single); j.shape == single {
		j.Source += ".wav"
	}
	s.plant(j.sourcePath(s), j.shape)
	switch s.chance.IntN(12) {
	case 0:
		j.doomed = "destination_exists"
		must(s.T, os.MkdirAll(filepath.Join(j.finalPath(s), "mine"), 0o755))
	case 1:
		j.doomed = "source_not_found"
		must(s.T, os.RemoveAll(j.sourcePath(s)))
	}
	j.source, j.there = s.tree(j.sourcePath(s)), s.tree(j.finalPath(s))
	posted, err := s.ketter.API.Post(s.Context(), j.Order)
	must(s.T, err)
	j.id = posted.ID
	s.running = append(s.running, j)
}

func (j *job) String() string {
	return fmt.Sprintf("job %d, %s → %s %s %s of %s", j.id, j.SourcePortal, j.DestinationPortal, j.Strategy, j.Mode, j.shape)
}

// Where it is on this machine.
func (j *job) sourcePath(s *soak) string { return filepath.Join(s.roots[j.SourcePortal], j.Source) }
func (j *job) destinationPath(s *soak) string {
	return filepath.Join(s.roots[j.DestinationPortal], j.Destination)
}
func (j *job) finalPath(s *soak) string {
	return filepath.Join(j.destinationPath(s), filepath.Base(j.Source))
}

// pick is one of them, by chance.
func pick[T any](s *soak, of ...T) T { return of[s.chance.IntN(len(of))] }
