package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/infra/lab"
	"github.com/ketter/ketter/infra/redact"
	"github.com/ketter/ketter/infra/sample"
)

// labFlags say what labs and calibrations make, and how often.
type labFlags struct {
	api, smallSize, big, mixBig, sweep, sweepMost, note string
	smallFiles, rounds                                  int
	quick, keep, keepCaches                             bool
	jobTimeout                                          time.Duration
}

// quickLabs is what --quick alters, unless the flag is given as well.
var quickLabs = map[string]string{
	"small-files": "200", "big": "64MiB", "mix-big": "64MiB", "sweep": "50,200x64KiB,1MiB", "rounds": "2",
}

// register adds the flags, with what fits the command where none is given.
func (f *labFlags) register(cmd *cobra.Command, big, mixBig, sweep, sweepMost string) {
	flags := cmd.Flags()
	flags.StringVar(&f.api, "api", "", "the API to ask, as http://127.0.0.1:8000 (else the one that KETTER_LISTEN names)")
	flags.IntVar(&f.smallFiles, "small-files", 2000, "how many small files there are, alone and in the mix")
	flags.StringVar(&f.smallSize, "small-size", "1KiB", "how large each of them is")
	flags.StringVar(&f.big, "big", big, "size of the one big file")
	flags.StringVar(&f.mixBig, "mix-big", mixBig, "size of the big file in the mix")
	flags.StringVar(&f.sweep, "sweep", sweep, "numbers of files by their size")
	flags.StringVar(&f.sweepMost, "sweep-most", sweepMost, "what a data set of the sweep may have in all; larger ones are left out")
	flags.IntVar(&f.rounds, "rounds", 3, "how often each job is run")
	flags.BoolVar(&f.quick, "quick", false, "data sets that are small and few: about a minute, to see that it works")
	flags.BoolVar(&f.keep, "keep", false, "leave what was made, to look at")
	flags.BoolVar(&f.keepCaches, "keep-caches", false, "don't sync and drop the machine's caches before each run (dropping needs root, on Linux)")
	flags.DurationVar(&f.jobTimeout, "job-timeout", time.Hour, "cancel a job that takes longer")
	flags.StringVar(&f.note, "note", "", "a sentence about machine and volumes, for the report")
}

// options reads the flags.
func (f *labFlags) options(cmd *cobra.Command) (lab.Options, error) {
	o := lab.Options{Keep: f.keep, KeepCaches: f.keepCaches, Quick: f.quick, JobTimeout: f.jobTimeout, Note: f.note,
		Version: version, Invocation: invocation(cmd), Progress: cmd.ErrOrStderr()}
	c, err := loadConfig()
	if err != nil {
		return o, err
	}
	o.Redactor = redact.New([]string{c.DBURL, c.RedisURL, f.api}, secretTexts(c)...)
	if err := f.quicken(cmd); err != nil {
		return o, usageError(cmd, err)
	}
	o.SmallFiles, o.Rounds = f.smallFiles, f.rounds
	sweep, err := lab.ParseSweep(f.sweep)
	if err != nil {
		return o, usageError(cmd, err)
	}
	o.Sweep = sweep
	for _, size := range []struct {
		text string
		into *int64
	}{{f.smallSize, &o.SmallSize}, {f.big, &o.Big}, {f.mixBig, &o.MixBig}, {f.sweepMost, &o.Sweep.Most}} {
		if *size.into, err = sample.ParseSize(size.text); err != nil {
			return o, usageError(cmd, err)
		}
	}
	return o, nil
}

func (f *labFlags) quicken(cmd *cobra.Command) error {
	for name, value := range quickLabs {
		if !f.quick || cmd.Flags().Changed(name) {
			continue
		}
		if err := cmd.Flags().Set(name, value); err != nil {
			return err
		}
	}
	return nil
}

// told are the flags that a report repeats, in this order. The API's address isn't among them: it may hold a secret.
var told = []string{"source-root", "destination-root", "source", "destination", "read-only-root", "small-root", "only", "quick", "small-files",
	"small-size", "big", "mix-big", "sweep", "sweep-most", "rounds", "keep-caches"}

// invocation is what was typed.
func invocation(cmd *cobra.Command) string {
	words := []string{cmd.CommandPath()}
	for _, name := range told {
		if flag := cmd.Flags().Lookup(name); flag != nil && flag.Changed {
			words = append(words, "--"+name+"="+strings.Trim(flag.Value.String(), "[]"))
		}
	}
	return strings.Join(words, " ")
}
