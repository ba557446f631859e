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

// maxNumber is what a number may have of characters. Who compares numbers exactly takes seconds for a million digits, or for 1e-999999.
const maxNumber = 32

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

// checkObject refuses what json.Unmarshal would put up with: a name given twice, at any depth, and more than one value.
func checkObject(body []byte) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return invalid("The body is empty; it must be a JSON object.")
	}
	if err := json.Unmarshal(body, new(json.RawMessage)); err != nil {
		return invalid("The body is not valid JSON: %v.", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if first, _ := decoder.Token(); first != json.Delim('{') {
		return invalid("The body is %s; it must be a JSON object.", kindOf(bytes.TrimSpace(body)))
	}
	return checkMembers(decoder)
}

// checkMembers reads those of the object that was entered, to its end; it is known to be valid JSON.
func checkMembers(decoder *json.Decoder) error {
	seen := make(map[string]bool)
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return invalid("The body is not valid JSON: %v.", err)
		}
		name := token.(string)
		if seen[name] {
			return invalid("The field %s is given twice.", short(name))
		}
		seen[name] = true
		if err := checkValue(decoder); err != nil {
			return err
		}
	}
	_, err := decoder.Token()
	return err
}

func checkValue(decoder *json.Decoder) error {
	token, err := decoder.Token()
	number, isNumber := token.(json.Number)
	switch {
	case err != nil:
		return invalid("The body is not valid JSON: %v.", err)
	case isNumber && (len(number) > maxNumber || strings.ContainsAny(string(number), "eE")):
		return invalid("The number %s can't be what is meant; write it without an exponent, in %d characters at most.", short(string(number)), maxNumber)
	case token == json.Delim('{'):
		return checkMembers(decoder)
	case token == json.Delim('['):
		for decoder.More() {
			if err := checkValue(decoder); err != nil {
				return err
			}
		}
		_, err = decoder.Token()
	}
	return err
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
