package dku

import (
	"fmt"
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
	base, err := r.reserve(dir)
	if err != nil {
		return nil, err
	}
	paths = []string{base + ".txt", base + ".json"}
	for i, content := range [][]byte{[]byte(r.Text()), asJSON} {
		if err := os.WriteFile(paths[i], content, 0o644); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// reserve makes the .txt, empty, so that the name is this report's.
func (r Report) reserve(dir string) (base string, err error) {
	const most = 1000
	name := filepath.Join(dir, fmt.Sprintf("dku-%s-%s", r.GeneratedAt.Format("20060102T150405Z"), fileName(r.Host)))
	for i := 1; i <= most; i++ {
		base = name
		if i > 1 {
			base = fmt.Sprintf("%s-%d", name, i)
		}
		file, err := os.OpenFile(base+".txt", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err == nil {
			return base, file.Close()
		}
		if !os.IsExist(err) {
			return "", err
		}
	}
	return "", fmt.Errorf("%s and %d more of that name exist", name, most)
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
