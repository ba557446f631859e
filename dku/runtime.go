package dku

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

func (p *Probe) runtimeChecks() []Check {
	return []Check{
		{ID: "runtime.version", Deadline: quick, Run: one(p.runtimeVersion)},
		{ID: "runtime.system", Deadline: quick, Run: one(runtimeSystem)},
		{ID: "runtime.memory", Deadline: quick, Run: one(runtimeMemory)},
		{ID: "runtime.files", Deadline: quick, Run: one(runtimeFiles)},
		{ID: "runtime.clock", Deadline: quick, Needs: []string{reachable}, Run: one(p.runtimeClock)},
	}
}

func (p *Probe) runtimeVersion(context.Context) Finding {
	return ok(fmt.Sprintf("ketter %s%s, built with %s for %s/%s", p.target.Version, revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH))
}

// revision is the commit that the binary was built from, where the build has noted it.
func revision() string {
	info, known := debug.ReadBuildInfo()
	if !known {
		return ""
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return " (" + setting.Value + ")"
		}
	}
	return ""
}

func runtimeSystem(context.Context) Finding {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return warn("The system doesn't tell its name: "+err.Error(), "Nothing depends on it.")
	}
	text := unix.ByteSliceToString
	return ok(fmt.Sprintf("%s, %s %s %s", operatingSystem(), text(name.Sysname[:]), text(name.Release[:]), text(name.Machine[:]))).
		with(float64(runtime.NumCPU()), "CPUs")
}

func runtimeMemory(context.Context) Finding {
	total, free, err := memory()
	if err != nil {
		return warn("The free memory is not known: "+err.Error(), "Look at it by the system's own means.")
	}
	return limits{warn: 256 << 20, fail: 64 << 20}.below(free, "bytes",
		fmt.Sprintf("%s of %s of memory are free.", size(free), size(total)), "End what takes the memory, or add some.")
}

func runtimeFiles(context.Context) Finding {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return warn("The limit of open files is not known: "+err.Error(), "See `ulimit -n`.")
	}
	return limits{warn: 4096, fail: 256}.below(math.Min(float64(limit.Cur), math.MaxInt32), "files",
		"What a process of this user may have open at once.", "Raise it: LimitNOFILE= of the service, or `ulimit -n 65536` before it is started.")
}

// runtimeClock compares around a question: what the question itself took is not taken for a difference.
func (p *Probe) runtimeClock(ctx context.Context) Finding {
	before := time.Now()
	theirs, err := p.store.Clock(ctx)
	if err != nil {
		return notTold(err)
	}
	took := time.Since(before)
	skew := math.Max(0, math.Abs(theirs.Sub(before.Add(took/2)).Seconds())-took.Seconds()/2)
	return limits{warn: 1, fail: 30}.above(skew, "s", "How far this host's clock is from the database's.",
		"Set the clocks of both hosts, by NTP: events and heartbeats bear wrong times. Leases go by the database's alone.")
}
