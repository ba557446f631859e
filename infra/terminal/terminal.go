package terminal

import (
	"os"

	"golang.org/x/term"
)

// fallback is the width of a terminal that doesn't tell it, or tells nonsense.
const fallback = 80

// Columns is the width of the terminal that w is; 0 if it is none.
func Columns(w any) int {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 0
	}
	columns, _, err := term.GetSize(int(file.Fd()))
	if err != nil || columns < 20 {
		return fallback
	}
	return columns
}

// Colours reports whether w is a terminal whose user wants colours (https://no-color.org).
func Colours(w any) bool {
	return Columns(w) > 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// Colour is an ECMA-48 sequence that begins one; the zero value is none.
type Colour string

// The colours.
const (
	Red    Colour = "\x1b[1;31m"
	Green  Colour = "\x1b[32m"
	Yellow Colour = "\x1b[33m"
	Blue   Colour = "\x1b[34m"
	Faint  Colour = "\x1b[2m"
)

// Paint is text in a colour.
func (c Colour) Paint(text string) string {
	if c == "" || text == "" {
		return text
	}
	return string(c) + text + "\x1b[0m"
}
