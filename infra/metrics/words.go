package metrics

import (
	"slices"

	"github.com/ketter/ketter/engine/transfer"
)

// none is the label of what there isn't, or not yet; other that of all that has no label of its own.
const (
	none  = "none"
	other = "other"
)

var (
	strategies = []transfer.Strategy{transfer.Direct, transfer.ZipFirst}
	methods    = []transfer.Method{transfer.Rename, transfer.Copied, transfer.Archive, transfer.Stream}
)

// among is a word of a list, and other where it is none of them.
func among[T ~string](list []T, word T) string {
	if slices.Contains(list, word) {
		return string(word)
	}
	return other
}

// orNone is a word of a list, none where there is no word.
func orNone[T ~string](list []T, word T) string {
	if word == "" {
		return none
	}
	return among(list, word)
}
