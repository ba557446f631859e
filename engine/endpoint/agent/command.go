package agent

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"

	"github.com/ketter/ketter/engine/remote"
)

const (
	marker = "KETTER-AGENT "
	none   = "KETTER-NONE "
	// maxLine is how long a line may be, in either direction; a path of 4 KiB is four times as long once escaped.
	maxLine = 32 << 10
	// maxBanner is how much of something else than a banner is looked at.
	maxBanner = 512
)

var (
	// ErrNoAgent is what anything but an agent answers. See NoneError for what the host has instead.
	ErrNoAgent = errors.New("agent: no ketter agent answers")
	// ErrVersion is an agent of another protocol.
	ErrVersion = errors.New("agent: it speaks another protocol")
)

// Command starts the agent on a host: the path that the first line of input names, else `ketter` in PATH; where there is
// neither it says what else the host has. Any login shell hands the script to sh as it is: there is no quote in it, no
// backslash (fish), no exclamation mark and no new line (csh). No shell parses the path: it is only ever expanded in quotes.
var Command = remote.Command{Line: `exec sh -c '` + script + `'`}

const script = `LC_ALL=C; IFS= read -r line; agent=$(printf "%bX" "${line#KETTER-AGENT }"); agent=${agent%X}; ` +
	`case $agent in ""|/*) ;; *) agent=./$agent ;; esac; ` +
	`if [ -f "$agent" ] && [ -x "$agent" ]; then exec "$agent" agent --stdio; fi; ` +
	`has() { command -v "$1" >/dev/null 2>&1; }; ` +
	`if has ketter; then exec ketter agent --stdio; fi; ` +
	`tar=0; if has tar; then case $(tar --version 2>&1 </dev/null) in *GNU*) tar=gnu ;; *bsdtar*) tar=bsd ;; *usy[Bb]ox*) tar=busybox ;; *) tar=1 ;; esac; fi; ` +
	`unzip=0; if has unzip; then unzip=1; fi; xxh=0; if has xxh64sum; then xxh=1; fi; ` +
	`echo "KETTER-NONE $(uname -s) $(uname -m) tar=$tar unzip=$unzip xxh64sum=$xxh"`

// firstLine is what the script, or an agent that a forced command starts, reads first.
func firstLine(path string) (string, error) {
	if strings.ContainsRune(path, 0) || len(path) > 4096 {
		return "", fmt.Errorf("agent: %q is no path of a program", cut(path))
	}
	var b strings.Builder
	b.WriteString(marker)
	for i := range len(path) {
		if c := path[i]; isPlain(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\0%03o`, c)
		}
	}
	return b.String() + "\n", nil
}

func isPlain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("/._-", c) >= 0
}

// skipFirstLine takes the client's first line from the input, where no script has taken it. A frame never begins with 'K'.
func skipFirstLine(in *bufio.Reader) error {
	b, err := in.Peek(1)
	if err != nil || b[0] != marker[0] {
		return err
	}
	line, err := readLine(in, maxLine)
	if err == nil && !strings.HasPrefix(line, marker) && line+" " != marker {
		err = errProtocol
	}
	return err
}

// readLine returns a line without its end; what was read until then with an error.
func readLine(in *bufio.Reader, most int) (string, error) {
	var line []byte
	for len(line) < most {
		b, err := in.ReadByte()
		if err != nil {
			return string(line), err
		}
		if b == '\n' {
			return string(line), nil
		}
		line = append(line, b)
	}
	return string(line), errProtocol
}

// Banner is how an agent introduces itself.
type Banner struct {
	Protocol int
	Version  string // of its ketter
	OS, Arch string // as in runtime.GOOS and GOARCH
}

func ourBanner(version string) string {
	version = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, version[:min(len(version), 100)])
	if version == "" {
		version = "unknown"
	}
	return fmt.Sprintf("%s%d %s %s %s\n", marker, protocol, version, runtime.GOOS, runtime.GOARCH)
}

// NoneError is what a host said that has no agent. It is ErrNoAgent.
type NoneError struct {
	OS, Arch string // as uname tells them: Linux x86_64, Darwin arm64
	Tar      string // "gnu", "bsd", "busybox", "other", empty for none
	Unzip    bool
	XXH64Sum bool
}

func (e *NoneError) Error() string {
	return fmt.Sprintf("there is no ketter on that host (%s %s)", e.OS, e.Arch)
}

// Is makes it ErrNoAgent.
func (e *NoneError) Is(target error) bool { return target == ErrNoAgent }

// readBanner reads the agent's first line. An error of reading is returned as it is, with what came before it.
func readBanner(in *bufio.Reader) (b Banner, line string, err error) {
	line, err = readLine(in, maxBanner)
	if err != nil && !errors.Is(err, errProtocol) && !errors.Is(err, io.EOF) {
		return b, line, err
	}
	if err != nil {
		return b, line, fmt.Errorf("%w: it said %q", ErrNoAgent, line)
	}
	b, err = parseBanner(strings.TrimSuffix(line, "\r"))
	return b, line, err
}

func parseBanner(line string) (Banner, error) {
	fields := strings.Split(line, " ")
	if strings.HasPrefix(line, none) {
		return Banner{}, parseNone(fields[1:])
	}
	if !strings.HasPrefix(line, marker) || len(fields) < 2 {
		return Banner{}, fmt.Errorf("%w: it said %q", ErrNoAgent, line)
	}
	number, err := strconv.Atoi(fields[1])
	if err != nil {
		return Banner{}, fmt.Errorf("%w: it said %q", ErrNoAgent, line)
	}
	b := Banner{Protocol: number}
	for i, field := range []*string{&b.Version, &b.OS, &b.Arch} {
		if len(fields) > i+2 {
			*field = printable(fields[i+2])
		}
	}
	if number != protocol || len(fields) != 5 {
		return b, fmt.Errorf("%w: %d of ketter %s there, %d here", ErrVersion, number, b.Version, protocol)
	}
	return b, nil
}

func parseNone(fields []string) error {
	said := &NoneError{}
	for i, field := range []*string{&said.OS, &said.Arch} {
		if len(fields) > i {
			*field = printable(fields[i])
		}
	}
	for _, field := range fields[min(2, len(fields)):] {
		switch field {
		case "tar=gnu", "tar=bsd", "tar=busybox":
			said.Tar = strings.TrimPrefix(field, "tar=")
		case "tar=1":
			said.Tar = "other"
		case "unzip=1":
			said.Unzip = true
		case "xxh64sum=1":
			said.XXH64Sum = true
		}
	}
	return said
}
