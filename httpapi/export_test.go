package httpapi

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ketter/ketter/engine/failure"
)

// CheckAnswer says where an answer isn't what the contract promises for its request. Of what the contract doesn't know, it asks nothing.
func CheckAnswer(method, path string, answer *http.Response, body []byte) error {
	o := operationAt(method, path)
	if o == nil {
		return nil
	}
	described, pointer := o.response(answer.StatusCode)
	if described == nil {
		return fmt.Errorf("%s %s: the contract has no answer with status %d", method, path, answer.StatusCode)
	}
	for _, header := range o.contract.names(pointer + "/headers") {
		head, _ := o.contract.follow(pointer + "/headers/" + header)
		if head["required"] == true && answer.Header.Get(header) == "" {
			return fmt.Errorf("%s %s: the header %s is missing", method, path, header)
		}
	}
	content := o.contract.names(pointer + "/content")
	if method == http.MethodHead || len(content) == 0 {
		return nil
	}
	mediaType, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if _, known := described["content"].(map[string]any)[mediaType]; err != nil || !known {
		return fmt.Errorf("%s %s: %d is answered as %q, not %v", method, path, answer.StatusCode, answer.Header.Get("Content-Type"), content)
	}
	if !strings.HasSuffix(mediaType, "json") {
		return nil
	}
	schema, err := o.contract.compile(pointer + "/content/" + escaped(mediaType) + "/schema")
	if err != nil {
		return err
	}
	sent, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	if err := schema.Validate(sent); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

func (o *operation) response(status int) (map[string]any, string) {
	for _, key := range []string{fmt.Sprint(status), "default"} {
		if found, pointer := o.contract.follow(o.pointer + "/responses/" + key); found != nil {
			return found, pointer
		}
	}
	return nil, ""
}

// operationAt finds the operation that a path belongs to, the one with fewer parameters first.
func operationAt(method, path string) (best *operation) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	path, _, _ = strings.Cut(path, "?")
	for _, o := range parsed().operations {
		if o.method == method && matches(o.template, path) && (best == nil || strings.Count(o.template, "{") < strings.Count(best.template, "{")) {
			best = o
		}
	}
	return best
}

func matches(template, path string) bool {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if want[i] != got[i] && !strings.HasPrefix(want[i], "{") {
			return false
		}
	}
	return true
}

// Enum is the list of choices at a pointer into the contract.
func Enum(pointer string) (choices []string) {
	for _, choice := range elements(parsed().at(pointer + "/enum")) {
		choices = append(choices, textOf(choice))
	}
	return choices
}

// OwnCodes are those that only HTTP has.
func OwnCodes() []failure.Code { return ownCodes() }
