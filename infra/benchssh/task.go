package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ketter/ketter/infra/sample"
)

// task is a set that goes over a link with this round trip, by these ways.
type task struct {
	RoundTrip time.Duration
	Set       sample.Set
	Rounds    int
	Ways      []way
}

func (t task) String() string { return fmt.Sprintf("%v, %v", t.RoundTrip, t.Set) }

// usual is what Ketter promises, and what it is compared with.
func usual(quick bool) (tasks []task) {
	list := []string{
		"20ms:2000x1KiB:5:tar,rsync,zip-first,auto",
		"20ms:2000x1KiB:3:rclone,rclone-sftp,direct-sftp",
		"20ms:2000x1MiB:3:rsync,tar,zip-first,auto",
		"20ms:1x2GiB:3:scp,direct,direct-sftp",
		"100ms:2000x1MiB:2:rsync,zip-first",
	}
	if quick {
		list = []string{
			"4ms:200x1KiB:1:tar,rsync,zip-first,auto",
			"4ms:50x1KiB:1:rclone,rclone-sftp,direct-sftp",
			"4ms:40x1MiB:1:rsync,zip-first,zip-first-back",
			"4ms:1x64MiB:1:scp,direct,direct-sftp,direct-back",
		}
	}
	for _, text := range list {
		t, err := parseTask(text)
		if err != nil {
			panic(err) // a test reads them all
		}
		tasks = append(tasks, t)
	}
	return tasks
}

func parseTask(text string) (t task, err error) {
	words := strings.Split(text, ":")
	if len(words) != 4 {
		return t, fmt.Errorf("a task is ROUNDTRIP:FILESxSIZE:ROUNDS:WAY,WAY, as 20ms:2000x1KiB:5:tar,zip-first, not %q", text)
	}
	if t.RoundTrip, err = time.ParseDuration(words[0]); err != nil || t.RoundTrip < 0 {
		return t, fmt.Errorf("%q is no round trip, as 20ms", words[0])
	}
	sets, err := sample.Parse(words[1])
	if err != nil || len(sets) != 1 {
		return t, fmt.Errorf("a set is FILESxSIZE, as 2000x1KiB, not %q", words[1])
	}
	t.Set = sets[0]
	if t.Rounds, err = strconv.Atoi(words[2]); err != nil || t.Rounds < 1 {
		return t, fmt.Errorf("%q is no number of rounds", words[2])
	}
	t.Ways, err = chooseWays(words[3])
	return t, err
}
