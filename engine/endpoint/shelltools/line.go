package shelltools

import (
	"fmt"
	"strings"
)

// A line of input that `line` of the scripts reads is either 'p' and a text as it is, or, where the text has any byte that
// isn't plain, 'b' and the text for printf's %b: each such byte as a backslash, 0 and three octal digits. The shell only
// ever assigns it to a variable.

// appendLine appends text, which has no NUL, as a line.
func appendLine(b []byte, text string) []byte {
	if plain(text) {
		return append(append(append(b, 'p'), text...), '\n')
	}
	b = append(b, 'b')
	for i := range len(text) {
		if plainByte(text[i]) {
			b = append(b, text[i])
		} else {
			b = fmt.Appendf(b, `\0%03o`, text[i])
		}
	}
	return append(b, '\n')
}

func plain(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r > 0x7f || !plainByte(byte(r)) }) < 0
}

func plainByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(" /._-", c) >= 0
}
