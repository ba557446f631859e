package engine

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// What Linux and macOS take at most (PATH_MAX less its NUL, NAME_MAX).
const (
	longestPath = 4095
	longestName = 255
)

// validate refuses a spec that no state of the file systems could make right.
func validate(spec transfer.Spec) error {
	for field, p := range map[string]string{"source_path": spec.Source, "destination_path": spec.Destination} {
		if why := wrongPath(p); why != "" {
			return invalid(p, "%s %s: %q", field, why, p)
		}
	}
	switch {
	case spec.Source == "/":
		return invalid(spec.Source, "The whole file system can't be a source: name a folder or a file below it")
	case !spec.Mode.Valid():
		return invalid("", "mode must be copy or move, not %q", spec.Mode)
	case !spec.Strategy.Valid():
		return invalid("", "strategy must be AUTO, DIRECT or ZIP_FIRST, not %q", spec.Strategy)
	case !spec.Verify.Valid():
		return invalid("", "verify must be checksum, size or none, not %q", spec.Verify)
	}
	return validateRun(spec.Run)
}

func validateRun(run transfer.Run) error {
	part := regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)
	if !part.MatchString(run.Installation) || !part.MatchString(run.Token) || run.Job < 0 {
		return invalid("", "A run needs an installation and a token of 1 to 64 letters, digits and '-', and a job's number")
	}
	return nil
}

// wrongPath says what is wrong with p, "" if nothing is.
func wrongPath(p string) string {
	switch {
	case p == "":
		return "is empty"
	case strings.IndexByte(p, 0) >= 0:
		return "holds a NUL byte"
	case !path.IsAbs(p):
		return "must be absolute"
	case path.Clean(p) != p:
		return "must be clean, without empty, '.' or '..' steps and without a slash at its end"
	case len(p) > longestPath:
		return "is longer than a path may be"
	}
	for name := range strings.SplitSeq(p, "/") {
		if len(name) > longestName {
			return "holds a name longer than a name may be"
		}
	}
	return ""
}

func invalid(p, format string, args ...any) error {
	return failure.New(failure.InvalidRequest, p, fmt.Sprintf(format, args...))
}
