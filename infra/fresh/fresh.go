// Package fresh keeps what a file says as new as the file is, for a service that isn't started anew when somebody alters one. It
// watches nothing: who asks has it look, once a second at most. It never forgets the last good content, and writes nothing.
package fresh

import (
	"os"
	"sync"
	"time"
)

// every is how often the files are looked at, at most.
const every = time.Second

// Value is what some files hold.
type Value[T any] struct {
	paths []string
	read  func() (T, error)
	tell  func(error)
	now   func() time.Time

	mu     sync.Mutex
	good   T
	stamps []os.FileInfo // those of the files that good was read from; nil after a failure, so that it is tried again
	failed bool          // and told of
	looked time.Time
}

// New reads the files for the first time, and fails when that can't be done. From then on tell is called when they could not be
// read anew, once until they could, and with nil when something new was read.
func New[T any](read func() (T, error), tell func(error), paths ...string) (*Value[T], error) {
	v := &Value[T]{paths: paths, read: read, tell: tell, now: time.Now}
	v.looked = v.now()
	stamps := v.stat() // before it is read: what is written meanwhile is seen the next time
	good, err := read()
	v.good, v.stamps = good, stamps
	return v, err
}

// Get returns the last good content. Nobody waits for more than a look at the files, and now and then the reading of them.
func (v *Value[T]) Get() T {
	v.mu.Lock()
	defer v.mu.Unlock()
	if now := v.now(); now.Sub(v.looked) >= every || now.Before(v.looked) {
		v.looked = now
		v.look()
	}
	return v.good
}

func (v *Value[T]) look() {
	stamps := v.stat()
	if v.unchanged(stamps) {
		return
	}
	again, err := v.read()
	if err != nil {
		v.stamps = nil
		if !v.failed {
			v.tell(err)
		}
		v.failed = true
		return
	}
	v.good, v.stamps, v.failed = again, stamps, false
	v.tell(nil)
}

// stat returns nil unless all files are there.
func (v *Value[T]) stat() []os.FileInfo {
	stamps := make([]os.FileInfo, len(v.paths))
	for i, path := range v.paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil
		}
		stamps[i] = info
	}
	return stamps
}

// unchanged goes by inode too: a file that was put in the other's place may be as long and as old.
func (v *Value[T]) unchanged(stamps []os.FileInfo) bool {
	if stamps == nil || v.stamps == nil {
		return false
	}
	for i, old := range v.stamps {
		if now := stamps[i]; !os.SameFile(old, now) || !old.ModTime().Equal(now.ModTime()) || old.Size() != now.Size() || old.Mode() != now.Mode() {
			return false
		}
	}
	return true
}
