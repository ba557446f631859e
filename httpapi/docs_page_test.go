package httpapi_test

import (
	"bytes"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/ketter/ketter/httpapi"
)

func TestTheContractIsServedAsItIs(t *testing.T) {
	f := setup(t)
	if a := f.get("/openapi.yaml"); a.StatusCode != http.StatusOK || !bytes.Equal(a.body, httpapi.Contract) {
		t.Errorf("%d, %d bytes", a.StatusCode, len(a.body))
	}
}

func TestThePageOfTheContractLoadsNothingFromElsewhereAndNamesEveryRoute(t *testing.T) {
	f := setup(t)
	page := f.get("/docs")
	if got := page.Header.Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'none'; style-src 'sha256-") {
		t.Errorf("its own style is not allowed, or more than that: %q", got)
	}
	for _, loads := range []string{"<script", "src=", "url(", "@import", "<link", "<iframe", "<img"} {
		if bytes.Contains(page.body, []byte(loads)) {
			t.Errorf("the page has %s", loads)
		}
	}
	for _, found := range regexp.MustCompile(`(?m)^  (/\S*):$`).FindAllSubmatch(httpapi.Contract, -1) {
		if !bytes.Contains(page.body, []byte("</span> "+string(found[1])+"</code>")) {
			t.Errorf("%s is not on the page", found[1])
		}
	}
	if !bytes.Contains(page.body, []byte("<pre>{\n  &#34;source_path&#34;: &#34;/data/in/session_042&#34;,\n  &#34;destination_path&#34;")) {
		t.Error("an example isn't in the contract's order")
	}
	for _, found := range regexp.MustCompile(`href="#([^"]+)"`).FindAllSubmatch(page.body, -1) {
		if !bytes.Contains(page.body, []byte(`id="`+string(found[1])+`"`)) {
			t.Errorf("a link leads to %s, which is not there", found[1])
		}
	}
}
