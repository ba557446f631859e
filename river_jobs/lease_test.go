package riverjobs

import (
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
)

// keeperOfNowhere has a lease of 10 s, a beat of 2 s, the time that now points to, and no database.
func keeperOfNowhere(t *testing.T, now *time.Duration) *keeper {
	t.Helper()
	nowhere, err := db.Open(t.Context(), "postgres://ketter@127.0.0.1:1/ketter?sslmode=disable", 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nowhere.Close)
	k := newKeeper(nowhere, 10*time.Second, 2*time.Second, unmetered{}, zerolog.Nop())
	k.clock = func() time.Duration { return *now }
	return k
}

// A lease that can't be renewed is given up a beat before another worker may take the job, counted from before it was asked
// for.
func TestALeaseIsGivenUpInTime(t *testing.T) {
	t.Parallel()
	now := 100 * time.Second
	k := keeperOfNowhere(t, &now)
	lost := false
	letGo := k.hold(&lease{jobID: 1, token: "t", progress: func() transfer.Progress { return transfer.Progress{} },
		cancel: func() { t.Error("cancelled") }, lost: func() { lost = true }}, now)

	now += 7*time.Second + 999*time.Millisecond
	k.renewAll(t.Context()) // in vain
	if k.expire(); lost {
		t.Error("it is given up too early")
	}
	now += time.Millisecond
	if k.expire(); !lost {
		t.Error("it is held too long")
	}
	if k.running() != 1 {
		t.Error("its run has not ended yet")
	}
	letGo()
	if k.running() != 0 || k.untilFirst() != k.beat {
		t.Error("it is held after its end")
	}
}

// The clock of leases is one that goes on.
func TestTheClockOfLeasesGoesOn(t *testing.T) {
	t.Parallel()
	before := sinceBoot()
	deadline := time.Now().Add(time.Minute)
	for sinceBoot() <= before {
		if time.Now().After(deadline) {
			t.Fatal("it stands still")
		}
	}
}

// A run that has lost its lease and takes long to end harms no other: theirs are renewed as ever, and nothing spins.
func TestALostLeaseHarmsNoOther(t *testing.T) {
	t.Parallel()
	now := 100 * time.Second
	k := keeperOfNowhere(t, &now)
	ignore := func() {}
	k.hold(&lease{jobID: 1, token: "lost", cancel: ignore, lost: ignore}, now-time.Hour)
	if k.untilFirst() != k.beat {
		t.Errorf("a lost lease leaves %v for the next renewal", k.untilFirst())
	}
	k.hold(&lease{jobID: 2, token: "held", cancel: ignore, lost: func() { t.Error("the other is lost, too") }}, now-7*time.Second)
	if k.untilFirst() != time.Second {
		t.Errorf("the other is safe for %v", k.untilFirst())
	}
	k.expire()
}
