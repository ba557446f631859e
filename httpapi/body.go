package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/ketter/ketter/engine/failure"
)

const maxBody = 1 << 20

// member is one name and value of a JSON object.
type member struct {
	name  string
	value json.RawMessage
}

// readObject reads a request's body, which must be exactly one JSON object, and returns its members in order.
func readObject(w http.ResponseWriter, r *http.Request) ([]member, error) {
	body, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	return decodeObject(body)
}

// readNothing is for a route that is told all by its path: there may be no body, or an object with nothing in it. The
// Content-Type is asked for all the same, because a page of another origin can post without a body and without asking.
func readNothing(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(w, r)
	if err != nil || len(body) == 0 {
		return err
	}
	members, err := decodeObject(body)
	if err == nil && len(members) > 0 {
		return invalid("There is no field %s; this route has none.", short(members[0].name))
	}
	return err
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if err := checkContentType(r.Header.Get("Content-Type")); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, failure.New(codeBodyTooLarge, "", fmt.Sprintf("The body is larger than %d bytes.", maxBody))
	case err != nil:
		return nil, invalid("The body did not arrive whole.")
	case !utf8.Valid(body):
		return nil, invalid("The body is not valid UTF-8. JSON is; a path in another encoding can't be submitted over HTTP.")
	}
	return body, nil
}

// checkContentType insists on JSON. That also keeps web pages out: a browser asks before it sends JSON to another origin,
// and is refused.
func checkContentType(header string) error {
	mediaType, parameters, err := mime.ParseMediaType(header)
	charset, declared := parameters["charset"]
	if err != nil || mediaType != "application/json" || declared && !strings.EqualFold(charset, "utf-8") {
		return failure.New(codeUnsupportedMediaType, "",
			"The Content-Type must be application/json: with curl, add -H 'Content-Type: application/json'.")
	}
	return nil
}

// decodeObject takes an object apart without json.Unmarshal's leniency: a name given twice is refused, and case counts.
func decodeObject(body []byte) ([]member, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, invalid("The body is empty; it must be a JSON object.")
	}
	if err := json.Unmarshal(body, new(json.RawMessage)); err != nil {
		return nil, invalid("The body is not valid JSON: %v.", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if first, _ := decoder.Token(); first != json.Delim('{') {
		return nil, invalid("The body is %s; it must be a JSON object.", kindOf(bytes.TrimSpace(body)))
	}
	return members(decoder)
}

// members reads those of the object that was entered; it is known to be valid JSON.
func members(decoder *json.Decoder) ([]member, error) {
	var found []member
	seen := make(map[string]bool)
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, invalid("The body is not valid JSON: %v.", err)
		}
		m := member{name: token.(string)}
		if err := decoder.Decode(&m.value); err != nil {
			return nil, invalid("The body is not valid JSON: %v.", err)
		}
		if seen[m.name] {
			return nil, invalid("The field %s is given twice.", short(m.name))
		}
		seen[m.name] = true
		found = append(found, m)
	}
	return found, nil
}

// text returns a member's value, which must be a string.
func (m member) text() (string, error) {
	var s string
	if m.value[0] != '"' || json.Unmarshal(m.value, &s) != nil {
		return "", invalid("%s must be a string; it is %s.", m.name, kindOf(m.value))
	}
	return s, nil
}

func kindOf(value []byte) string {
	switch value[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}
