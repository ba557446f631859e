//go:build !linux

package riverjobs

import "time"

// sinceBoot is the wall clock, since Go's monotonic one stands still while the machine sleeps. A clock that is set back
// during a run makes its lease look longer by as much.
func sinceBoot() time.Duration { return time.Duration(time.Now().Round(0).UnixNano()) }
