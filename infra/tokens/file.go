package tokens

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Read returns the tokens of a file, which others may neither read nor change, and its group not change: who could add a line
// could let himself in.
func Read(path string) ([]Token, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a file")
	case info.Mode().Perm()&0o027 != 0:
		return nil, fmt.Errorf("others may read or change it (mode %04o): chmod 600 it", info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxFile:
		return nil, fmt.Errorf("it is too large for a file of %d tokens at most", maxTokens)
	}
	return parse(string(text))
}
