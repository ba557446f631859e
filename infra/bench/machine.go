package main

import (
	"context"
	"time"

	"github.com/ketter/ketter/infra/machine"
)

func describeMachine(ctx context.Context, o options) []machine.Fact {
	facts := []machine.Fact{
		{Name: "Date", Value: time.Now().UTC().Format(time.DateOnly)},
		{Name: "CPU", Value: machine.CPU(ctx)},
		{Name: "Memory", Value: machine.Memory()},
		{Name: "Load at the start", Value: machine.Load()},
		{Name: "Kernel", Value: machine.Kernel(ctx)},
		{Name: "Memory's file system", Value: machine.FileSystem(o.memoryDir)},
		{Name: "Disk's file system", Value: machine.FileSystem(o.diskDir)},
	}
	if o.ketter != "" {
		facts = append(facts, machine.Fact{Name: "ketter", Value: machine.FirstLine(ctx, o.ketter, "--version")})
	}
	for _, tool := range []string{"cp", "rsync", "tar", "rclone", "diff"} {
		facts = append(facts, machine.Fact{Name: tool, Value: machine.FirstLine(ctx, tool, "--version")})
	}
	return facts
}

// room is 0 where it can't be told.
func (p *place) room() int64 {
	free, _ := machine.Room(p.parent)
	return free
}
