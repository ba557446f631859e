package dku

import (
	"context"
	"strings"
	"time"

	"github.com/ketter/ketter/infra/redact"
)

// Check is one question.
type Check struct {
	ID       string // group.name; stable, docs/troubleshooting.md has a section for each
	Subject  string // which of several the question is about
	Deadline time.Duration
	Until    time.Duration // after the whole began; it may use what checks before it have left of their time
	Needs    []string      // keys of checks that must not have failed; it begins after them
	After    []string      // keys of checks that must have ended, however
	Always   bool          // runs even when the whole was interrupted: it clears away
	Run      func(ctx context.Context) []Finding
}

// key tells a check from the others.
func (c Check) key() string { return key(c.ID, c.Subject) }

func key(id, subject string) string {
	if subject == "" {
		return id
	}
	return id + " " + subject
}

func (c Check) group() string {
	group, _, _ := strings.Cut(c.ID, ".")
	return group
}

// complete adds what a check's findings have in common.
func (c Check) complete(findings []Finding, redactor redact.Redactor) []Finding {
	for i := range findings {
		f := &findings[i]
		f.ID, f.Group = c.ID, c.group()
		if f.Subject == "" {
			f.Subject = c.Subject
		}
		for _, text := range []*string{&f.Subject, &f.Message, &f.Advice} {
			*text = bounded(redactor.Clean(bounded(*text, mostCleaned)), mostShown)
		}
		f.BlockedBy = cleanKey(f.BlockedBy, redactor)
	}
	return findings
}

// cleanKey leaves a check's id as it is: it is none of the outside's.
func cleanKey(text string, redactor redact.Redactor) string {
	id, subject, _ := strings.Cut(text, " ")
	return key(id, redactor.Clean(subject))
}

// In bytes. Much more is cleaned than is shown, for a secret may be long.
const (
	mostShown   = 2000
	mostCleaned = 32 << 10
)

// bounded cuts what somebody else has said at great length.
func bounded(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// one is for the many checks that have one finding.
func one(ask func(ctx context.Context) Finding) func(context.Context) []Finding {
	return func(ctx context.Context) []Finding { return []Finding{ask(ctx)} }
}

// timed makes the time that a question takes its figure.
func timed(ask func(context.Context) Finding) func(context.Context) Finding {
	return func(ctx context.Context) Finding {
		began := time.Now()
		f := ask(ctx)
		return f.with(milliseconds(time.Since(began)), "ms")
	}
}

// Longest is how long the checks take at most, whatever is dead: the longest chain of those that wait for each other.
func Longest(checks []Check) time.Duration {
	byKey := make(map[string]Check, len(checks))
	for _, c := range checks {
		byKey[c.key()] = c
	}
	var end func(c Check) time.Duration
	end = func(c Check) time.Duration {
		var begin time.Duration
		for _, before := range c.before() {
			begin = max(begin, end(byKey[before]))
		}
		return max(begin+c.Deadline, c.Until) + grace
	}
	var longest time.Duration
	for _, c := range checks {
		longest = max(longest, end(c))
	}
	return longest
}

func (c Check) before() []string { return append(append([]string{}, c.Needs...), c.After...) }
