package engine

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ketter/ketter/engine/endpoint/local"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/staging"
)

// Runs that share a connection share the failure that tells why it was lost.
func TestAFailureOfSeveralRunsIsNotAlteredByOne(t *testing.T) {
	t.Parallel()
	destination, err := local.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer destination.Close()
	stage, err := staging.Create(destination, ".ketter-a-1-b.partial")
	if err != nil {
		t.Fatal(err)
	}
	defer stage.Close()
	staged := stage.Data().Path() + "/Day 1"
	shared := failure.New(failure.PortalUnreachable, staged, "Lost at "+staged)
	r := &run{stage: stage, destination: destination}
	shown := r.showFinal(fmt.Errorf("written by one: %w", shared))
	want := destination.Path() + "/Day 1"
	if f := failure.From(shown); f.Path != want || f.Sentence() != "Lost at "+want || f.Code != shared.Code || !errors.Is(shown, shared) {
		t.Errorf("it is shown as %v", shown)
	}
	if shared.Path != staged || shared.Message != "Lost at "+staged {
		t.Errorf("the others are told %q, %q", shared.Path, shared.Message)
	}
	for _, other := range []error{nil, shared.Err, errors.New("no failure"), failure.New(failure.IOError, "/elsewhere", "It is elsewhere")} {
		if got := r.showFinal(other); got != other {
			t.Errorf("%v became %v", other, got)
		}
	}
}
