package dku

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/local"
	"github.com/ketter/ketter/engine/failure"
)

const (
	present  = "storage.present"
	writable = "storage.writable"
	latency  = "storage.latency"

	leastBytes  = 64 << 20
	leastInodes = 100
	fewPercent  = 5 // of a volume: time to make room
)

// volume is what is known of a file system besides its free space.
type volume struct {
	kind          string
	bytes, inodes float64 // in all; no inodes where it has no such limit
}

func (p *Probe) storageChecks() []Check {
	checks := []Check{
		{ID: "storage.roots", Deadline: quick, Run: one(p.rootsKnown)},
		{ID: "storage.portals", Deadline: network, Needs: []string{readyz}, Run: p.portals},
	}
	last := Check{ID: "storage.scratch", Deadline: quick, Always: true, Run: one(p.scratch.removed)}
	for _, root := range p.target.Roots {
		for _, c := range p.rootChecks(root) {
			checks, last.After = append(checks, c), append(last.After, c.key())
		}
	}
	return append(checks, last)
}

func (p *Probe) rootChecks(root string) []Check {
	there, canWrite := []string{key(present, root)}, []string{key(writable, root)}
	return []Check{
		{ID: present, Subject: root, Deadline: quick, Run: one(timed(rootPresent(root)))},
		{ID: writable, Subject: root, Deadline: quick, Needs: there, Run: one(timed(p.rootWritable(root)))},
		{ID: "storage.space", Subject: root, Deadline: quick, Needs: there, Run: one(rootSpace(root))},
		{ID: "storage.inodes", Subject: root, Deadline: quick, Needs: there, Run: one(rootInodes(root))},
		{ID: "storage.filesystem", Subject: root, Deadline: quick, Needs: there, Run: one(timed(rootFileSystem(root)))},
		{ID: "storage.leftovers", Subject: root, Deadline: quick, Needs: there, Run: one(rootLeftovers(root))},
		{ID: "storage.rename", Subject: root, Deadline: quick, Until: triedUntil, Needs: canWrite, Run: one(timed(p.rootRename(root)))},
		{ID: "storage.reflink", Subject: root, Deadline: quick, Until: triedUntil, Needs: canWrite, Run: one(timed(p.rootReflink(root)))},
		{ID: latency, Subject: root, Deadline: patient, Needs: canWrite, Run: one(p.rootLatency(root))},
	}
}

func (p *Probe) rootsKnown(context.Context) Finding {
	count := float64(len(p.target.Roots))
	if count == 0 {
		return warn("No allowed root is known here, so no storage is checked and no job is tried.",
			"Set KETTER_ALLOWED_ROOTS as for the worker, or run the DKU in the folder of `ketter up`.").with(0, "roots")
	}
	return ok("The allowed roots are those of "+p.target.FoundIn+".").with(count, "roots")
}

func rootPresent(root string) func(context.Context) Finding {
	return func(context.Context) Finding {
		info, err := os.Stat(root)
		const mount = "Mount its volume. Ketter never makes a missing root, so that an unmounted volume can't fill the system disk."
		switch {
		case err != nil:
			return fail("The root is not there: "+err.Error(), mount)
		case !info.IsDir():
			return fail("The root is not a folder.", mount)
		}
		return ok("The root is there.")
	}
}

func (p *Probe) rootWritable(root string) func(context.Context) Finding {
	return func(context.Context) Finding {
		err := p.scratch.in(root, func(endpoint.Dir) error { return nil })
		if err != nil {
			return storageFailed("No folder could be made and removed", root, err)
		}
		p.noteWritable(root)
		return ok("A folder could be made and removed.")
	}
}

// storageFailed says what a job that writes there would fail with.
func storageFailed(what, root string, err error) Finding {
	err = failure.AtDestination("write", root, err)
	return fail(fmt.Sprintf("%s: %s", what, sentence(err)), advice(err, "Look at the storage, its mount and its permissions."))
}

func rootSpace(root string) func(context.Context) Finding {
	return func(context.Context) Finding {
		space, volume, err := spaceOf(root)
		if err != nil {
			return notTold(err)
		}
		free := float64(space.Bytes)
		return limits{warn: volume.bytes * fewPercent / 100, fail: leastBytes}.below(free, "bytes",
			fmt.Sprintf("%s of %s are free.", size(free), size(volume.bytes)), "Make room on the volume; jobs to it fail with destination_full.")
	}
}

func rootInodes(root string) func(context.Context) Finding {
	return func(context.Context) Finding {
		space, volume, err := spaceOf(root)
		if err != nil {
			return notTold(err)
		}
		if space.Inodes == math.MaxUint64 || volume.inodes == 0 {
			return ok("The file system has no limit of inodes.")
		}
		free := float64(space.Inodes)
		return limits{warn: volume.inodes * fewPercent / 100, fail: leastInodes}.below(free, "inodes",
			fmt.Sprintf("%.0f of %.0f inodes are free.", free, volume.inodes), "Remove files that nobody needs: each takes an inode, however small.")
	}
}

func spaceOf(root string) (endpoint.Space, volume, error) {
	volume, err := volumeOf(root)
	if err != nil {
		return endpoint.Space{}, volume, err
	}
	dir, err := openRoot(root)
	if err != nil {
		return endpoint.Space{}, volume, err
	}
	defer dir.Close()
	space, err := dir.Space()
	return space, volume, err
}

func rootFileSystem(root string) func(context.Context) Finding {
	return func(context.Context) Finding {
		volume, err := volumeOf(root)
		if err != nil {
			return notTold(err)
		}
		dir, err := openRoot(root)
		if err != nil {
			return notTold(err)
		}
		defer dir.Close()
		lacks := dir.Capabilities().Lacks(endpoint.Capabilities{
			Modes: true, HardLinks: true, Xattrs: true, Holes: true, ModTimeStep: time.Nanosecond})
		return ok(fmt.Sprintf("The file system is %s; it lacks: %s.", volume.kind, list(lacks)))
	}
}

func openRoot(root string) (endpoint.Dir, error) {
	place, err := local.Roots{root}.Locate(root)
	if err != nil {
		return nil, err
	}
	if len(place.Missing) > 0 {
		place.Dir.Close()
		return nil, errors.New("the root is not there: " + root)
	}
	return place.Dir, nil
}
