package main

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/terminal"
)

// placeText is a path, or PORTAL:path, as --from and --to take it.
func placeText(portal *string, path string) string {
	if portal == nil {
		return printable(path)
	}
	return printable(*portal + ":" + path)
}

// finalText is where the source arrives.
func finalText(portal *string, destination, source string) string {
	return placeText(portal, path.Join(destination, path.Base(source)))
}

var portalName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// placeOfArgument reads a folder of this host, which begins with / or a dot, or PORTAL[:path].
func placeOfArgument(text string) (portal, inside string, err error) {
	if strings.HasPrefix(text, "/") || strings.HasPrefix(text, ".") {
		inside, err = filepath.Abs(text)
		return "", inside, err
	}
	portal, inside, _ = strings.Cut(text, ":")
	if !portalName.MatchString(portal) {
		return "", "", &failure.Error{
			Code: failure.InvalidRequest, Message: fmt.Sprintf("%q is neither a path nor PORTAL:PATH", text), Hint: "A path begins with / or ./",
		}
	}
	if inside == "" {
		inside = "/"
	}
	return portal, inside, nil
}

func strategyOf(text string) transfer.Strategy {
	return transfer.Strategy(strings.ToUpper(strings.ReplaceAll(text, "-", "_")))
}

// wrongSpec says what is wrong with what a transfer or a job is asked to be; empty: nothing.
func wrongSpec(mode transfer.Mode, strategy transfer.Strategy, verify transfer.Verify) string {
	switch {
	case mode == "":
		return "--mode is missing: say copy, or move (the source is removed at the end)"
	case !mode.Valid():
		return fmt.Sprintf("--mode must be copy or move, not %q", mode)
	case !strategy.Valid():
		return fmt.Sprintf("--strategy must be auto, direct or zip-first, not %q", strategy)
	case !verify.Valid():
		return fmt.Sprintf("--verify must be checksum, size or none, not %q", verify)
	}
	return ""
}

var statusColours = map[transfer.Status]terminal.Colour{
	transfer.Pending: terminal.Yellow, transfer.Running: terminal.Blue, transfer.Success: terminal.Green,
	transfer.Failed: terminal.Red, transfer.Cancelled: terminal.Faint,
}

// secondsText is how long something took; nothing for nil.
func secondsText(seconds *float64) string {
	if seconds == nil {
		return ""
	}
	if *seconds < 60 {
		return fmt.Sprintf("%.1fs", *seconds)
	}
	const longest = 1e9 // some 30 years; a Duration holds no more than 290
	return time.Duration(min(*seconds, longest) * float64(time.Second)).Round(time.Second).String()
}

// whenText is as ls(1) has it: the time of what is recent, the year of what isn't.
func whenText(t, now time.Time) string {
	const recent = 180 * 24 * time.Hour
	if age := now.Sub(t); age > recent || age < -recent {
		return t.Local().Format("Jan 02  2006")
	}
	return t.Local().Format("Jan 02 15:04")
}

// rateOf is in units of 10⁶ bytes a second; 0 where it can't be said.
func rateOf(bytes int64, seconds *float64) float64 {
	if seconds == nil || *seconds <= 0 {
		return 0
	}
	return float64(bytes) / 1e6 / *seconds
}

// proofText says how what arrived was proven.
func proofText(method *transfer.Method, verify transfer.Verify) string {
	switch {
	case method != nil && *method == transfer.Rename:
		return "renamed in place: nothing to verify"
	case verify == transfer.None:
		return "not verified"
	}
	return "verified by " + string(verify)
}

// textOf is what a pointer leads to, or a dash.
func textOf[T ~string](s *T) string {
	if s == nil {
		return "-"
	}
	return string(*s)
}
