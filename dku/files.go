package dku

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Write puts the report into dir, which is made if it is missing, as <name>.txt and .json, and returns their paths. Nothing
// is overwritten: a name that is taken gets a number.
func (r Report) Write(dir string) (paths []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	asJSON, err := r.JSON()
	if err != nil {
		return nil, err
	}
	asText := []byte(r.Text())
	const most = 1000
	name := filepath.Join(dir, fmt.Sprintf("dku-%s-%s", r.GeneratedAt.Format("20060102T150405Z"), fileName(r.Host)))
	for i := 1; i <= most; i++ {
		base := name
		if i > 1 {
			base = fmt.Sprintf("%s-%d", name, i)
		}
		err := errors.Join(create(base+".txt", asText), create(base+".json", asJSON))
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return []string{base + ".txt", base + ".json"}, err
		}
	}
	return nil, fmt.Errorf("%s and %d more of that name exist", name, most)
}

// create never follows a link that somebody has put there.
func create(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Close())
}

// fileName makes a host's name fit for a file's.
func fileName(host string) string {
	host = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '-'
	}, host)
	return orElse(strings.Trim(host, ".-"), "host")
}
