package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

// needles are what would show a secret, whatever it was encoded in, line by line.
func needles(text string) (all []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); len(line) < 12 || strings.HasPrefix(line, "-----") {
			continue
		}
		escaped, _ := json.Marshal(line)
		all = append(all, line, strings.Trim(string(escaped), `"`), url.QueryEscape(line), hex.EncodeToString([]byte(line)),
			strings.ToUpper(hex.EncodeToString([]byte(line))))
		for shift := range 3 { // how it looks in the middle of something in base64
			encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + line))
			inner := encoded[4 : len(encoded)-4]
			all = append(all, inner, strings.NewReplacer("+", "-", "/", "_").Replace(inner))
		}
	}
	return all
}

func TestNeedlesAreFoundInEveryEncoding(t *testing.T) {
	t.Parallel()
	const word = "hun\"ter2-é/&+=~~"
	row := "a, " + word + ", b"
	inJSON, _ := json.Marshal(row)
	for _, hay := range []string{row, string(inJSON), url.QueryEscape(row), hex.EncodeToString([]byte(row)), `\x` + hex.EncodeToString([]byte(row)),
		base64.StdEncoding.EncodeToString([]byte(row)), base64.StdEncoding.EncodeToString([]byte("1" + row)), base64.RawURLEncoding.EncodeToString([]byte("12" + row))} {
		if found := find(hay, word); found == "" {
			t.Errorf("not found in %s", hay)
		}
	}
}

func find(hay string, secrets ...string) string {
	for _, text := range secrets {
		for _, needle := range needles(text) {
			if strings.Contains(hay, needle) {
				return needle
			}
		}
	}
	return ""
}
