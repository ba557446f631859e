package tokens

import (
	"errors"
	"fmt"

	"github.com/ketter/ketter/infra/private"
)

// Read returns the tokens of a file, which others may neither read nor change, and its group not change: who could add a line
// could let himself in.
func Read(path string) ([]Token, error) {
	text, err := private.Read(path, maxFile)
	switch {
	case errors.Is(err, private.ErrLarge):
		return nil, fmt.Errorf("it is too large for a file of %d tokens at most", maxTokens)
	case err != nil:
		return nil, err
	}
	return parse(text)
}
