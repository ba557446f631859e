package terminal

import (
	"unicode"

	"golang.org/x/text/width"
)

const ellipsis = "…"

// Width is how many cells text takes on a terminal: two for East Asian wide characters and most emoji, none for combining marks.
func Width(text string) (cells int) {
	for _, r := range text {
		cells += cellsOf(r)
	}
	return cells
}

func cellsOf(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// Head is the beginning of text that takes at most so many cells.
func Head(text string, cells int) string {
	for at, r := range text {
		if cells -= cellsOf(r); cells < 0 {
			return text[:at]
		}
	}
	return text
}

// tail is the end of text that takes at most so many cells. It begins with no mark that belonged to what is left out.
func tail(text string, cells int) string {
	runes := []rune(text)
	begin := len(runes)
	for begin > 0 && cells >= cellsOf(runes[begin-1]) {
		begin--
		cells -= cellsOf(runes[begin])
	}
	for begin < len(runes) && cellsOf(runes[begin]) == 0 {
		begin++
	}
	return string(runes[begin:])
}

// Middle fits text into so many cells by leaving out its middle: a path's ends tell most.
func Middle(text string, cells int) string {
	if Width(text) <= cells {
		return text
	}
	if cells < 3 {
		return Head(text, cells)
	}
	first := (cells - 1) / 2
	head := Head(text, first)
	return head + ellipsis + tail(text, cells-1-Width(head))
}
