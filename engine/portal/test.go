package portal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ketter/ketter/engine"
	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
)

// Report is what a test of a portal has found.
type Report struct {
	Checks  []Check
	Reach   engine.Reach // zero where it was not reached
	Latency time.Duration
	Free    uint64 // bytes; math.MaxUint64 where the host doesn't say
}

// Check is one thing that was tried, in the order of trying.
type Check struct {
	Name    string // "reach", "root", "write"
	Message string
	Err     *failure.Error // nil: it went well
	Elapsed time.Duration
}

// Test reaches for a portal as a job would. A name that it makes there, it removes. What is amiss is a Check that failed.
func (p *Portals) Test(ctx context.Context, id int64) (Report, error) {
	t := test{report: Report{Free: math.MaxUint64}}
	var opened engine.Portal
	ok := t.try("reach", func() (string, error) {
		var err error
		if opened, err = p.Open(ctx, id); err != nil {
			return "", err
		}
		t.report.Reach = opened.Reach
		return opened.By, nil
	})
	if f := t.last(); !ok && f.Code == failure.PortalNotFound {
		return Report{}, f
	}
	if ok {
		defer opened.Close()
		t.folder(ctx, opened)
	}
	return t.report, nil
}

type test struct{ report Report }

// try notes how a step went.
func (t *test) try(name string, step func() (string, error)) bool {
	began := time.Now()
	message, err := step()
	check := Check{Name: name, Message: message, Elapsed: time.Since(began)}
	if err != nil {
		check.Err = failure.From(err)
		check.Message = check.Err.Sentence()
	}
	t.report.Checks = append(t.report.Checks, check)
	return err == nil
}

func (t *test) last() *failure.Error { return t.report.Checks[len(t.report.Checks)-1].Err }

// folder looks at the portal's root, and writes to it.
func (t *test) folder(ctx context.Context, portal engine.Portal) {
	var place *endpoint.Place
	ok := t.try("root", func() (_ string, err error) {
		if place, err = portal.Locate("/"); err != nil {
			return "", failure.AtDestination("find", "/", err)
		}
		t.report.Latency = latency(place.Dir)
		space, err := place.Dir.Space()
		if err == nil {
			t.report.Free = space.Bytes
		}
		if errors.Is(err, errors.ErrUnsupported) {
			err = nil
		}
		return "The root is there: " + place.Path, failure.AtDestination("ask for free space", place.Path, err)
	})
	if !ok {
		return
	}
	defer place.Dir.Close()
	t.try("write", func() (string, error) {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		name := ".ketter-test-" + strings.ToLower(rand.Text()[:8]) + ".partial"
		err := place.Dir.Mkdir(name, 0o700)
		if err == nil {
			err = place.Dir.RemoveDir(name)
		}
		if err != nil {
			return "", failure.AtDestination("make folder", place.Path, err)
		}
		return fmt.Sprintf("A folder could be made and removed in %s.", place.Path), nil
	})
}

// latency is the shortest of a few questions.
func latency(dir endpoint.Dir) time.Duration {
	shortest := time.Hour
	for range 3 {
		began := time.Now()
		_, _ = dir.Lstat(".ketter-latency") // that it isn't there takes as long
		shortest = min(shortest, time.Since(began))
	}
	return shortest
}
