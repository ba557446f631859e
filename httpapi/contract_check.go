package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ketter/ketter/engine/failure"
)

// checkContract refuses what the contract doesn't know, before anything else looks at it.
func (a *api) checkContract(c *gin.Context) {
	if o := parsed().of(c.Request.Method, c.FullPath()); o != nil {
		if err := o.check(c); err != nil {
			a.fail(c, err)
			c.Abort()
			return
		}
	}
	c.Next()
}

func (o *operation) check(c *gin.Context) error {
	if err := o.checkQuery(c.Request.URL.RawQuery); err != nil {
		return err
	}
	for _, p := range o.parameters {
		var err error
		switch p.in {
		case "path":
			err = o.checkParameter(p, "The "+p.name, c.Param(p.name))
		case "header":
			err = o.checkHeader(p, c.Request.Header)
		}
		if err != nil {
			return err
		}
	}
	if o.body == nil {
		return nil
	}
	return o.checkBody(c.Writer, c.Request)
}

// checkQuery refuses a parameter that isn't known, or is given twice: a filter that is silently not applied looks like an answer.
func (o *operation) checkQuery(raw string) error {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return invalid("The query can't be read: %v.", err)
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		p, known := o.parameters["query "+name]
		switch {
		case !known:
			return o.noParameter(name)
		case len(query[name]) > 1:
			return invalid("The parameter %s is given twice.", name)
		}
		if err := o.checkParameter(p, name, query[name][0]); err != nil {
			return err
		}
	}
	return nil
}

func (o *operation) checkHeader(p parameter, header http.Header) error {
	values := header.Values(p.name)
	switch {
	case len(values) == 0:
		return nil
	case len(values) > 1:
		return invalid("There are %d %s headers; send one.", len(values), p.name)
	}
	return o.checkParameter(p, "The "+p.name, values[0])
}

func (o *operation) checkParameter(p parameter, name, sent string) error {
	if !utf8.ValidString(sent) || strings.ContainsRune(sent, 0) { // the database takes neither
		return invalid("%s is %s, which is no text; it must be %s.", name, short(sent), o.contract.mustBe(p.pointer))
	}
	if p.schema.Validate(value(o.contract, p.pointer, sent)) == nil {
		return nil
	}
	return invalid("%s is %s; it must be %s.", name, short(sent), o.contract.mustBe(p.pointer))
}

var wholeNumber = regexp.MustCompile(`^[+-]?[0-9]{1,30}$`)

// value is what a parameter's text stands for: a number where one is described and this is one, else the text.
func value(c *contract, pointer, sent string) any {
	if schema, _ := c.follow(pointer); schema["type"] == "integer" && wholeNumber.MatchString(sent) && sent[0] != '+' {
		return json.Number(sent)
	}
	return sent
}

// checkBody reads the body, and leaves it to be read again.
func (o *operation) checkBody(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	if len(body) == 0 && !o.needsBody {
		body = []byte("{}")
	}
	if err := checkObject(body); err != nil {
		return err
	}
	sent, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return invalid("The body is not valid JSON: %v.", err)
	}
	var wrong *jsonschema.ValidationError
	if err := o.body.Validate(sent); errors.As(err, &wrong) {
		return failure.New(failure.InvalidRequest, "", o.contract.explain(wrong, sent))
	}
	if err := checkNumbers(sent); err != nil {
		return err
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return nil
}

// checkNumbers refuses 4.0 and 4e0: to a schema they are whole, but encoding/json makes no whole number of them, nor a portal's id.
// All numbers that a request may have are whole, and in its own fields.
func checkNumbers(sent any) error {
	fields, _ := sent.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if number, is := fields[name].(json.Number); is && !wholeNumber.MatchString(string(number)) {
			return invalid("%s is %s; write it with digits alone.", name, quoted(number))
		}
	}
	return nil
}
