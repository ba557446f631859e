// Package private reads files that hold secrets: small ones, which strangers can neither read nor change. An error names no
// content.
package private

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// ErrLarge is the error of a file that has more than it may.
var ErrLarge = errors.New("it is too large")

// Read returns what a file holds, which may be so many bytes. Only its owner may change it, and besides him only its group read it.
func Read(path string, most int64) (text string, err error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO would be waited for
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", errors.New("it is not a file")
	case info.Mode().Perm()&0o027 != 0:
		return "", fmt.Errorf("others may read or change it (mode %04o): chmod 600 it", info.Mode().Perm())
	}
	content, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(content)) > most {
		err = ErrLarge
	}
	return string(content), err
}
