package httpapi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// The extensions of the contract, for sentences: what a value must be where its schema doesn't say it in words, and what an object is.
const (
	mustBeWords = "x-must-be"
	aThing      = "x-a"
)

// explain says what is wrong with a body, and what would be right: of several faults, the one that is least likely to come of another.
func (c *contract) explain(wrong *jsonschema.ValidationError, sent any) string {
	faults := leaves(wrong)
	slices.SortFunc(faults, func(a, b *jsonschema.ValidationError) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), slices.Compare(a.InstanceLocation, b.InstanceLocation))
	})
	first := faults[0]
	schema := pointerOf(first)
	name := strings.Join(first.InstanceLocation, ".")
	switch k := first.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		return c.noField(k.Properties, schema)
	case *kind.Required:
		missing := k.Missing[0]
		return fmt.Sprintf("%s is missing; it must be %s.", joined(name, missing), c.mustBe(schema+"/properties/"+missing))
	case *kind.Type:
		return fmt.Sprintf("%s must be %s; it is %s.", name, c.mustBe(schema), kindOf(encoded(valueAt(sent, first.InstanceLocation))))
	}
	if c.secret(schema) {
		return fmt.Sprintf("%s must be %s.", name, c.mustBe(schema))
	}
	return fmt.Sprintf("%s is %s; it must be %s.", name, quoted(valueAt(sent, first.InstanceLocation)), c.mustBe(schema))
}

func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var all []*jsonschema.ValidationError
	for _, cause := range e.Causes {
		all = append(all, leaves(cause)...)
	}
	return all
}

// rank puts a misspelt name first: it is why another is missing.
func rank(e *jsonschema.ValidationError) int {
	switch e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		return 0
	case *kind.Required:
		return 2
	}
	return 1
}

func (c *contract) noField(names []string, schema string) string {
	object, at := c.follow(schema)
	unknown, known := short(slices.Min(names)), c.names(at+"/properties")
	if len(known) == 0 {
		return fmt.Sprintf("There is no field %s; this route has none.", unknown)
	}
	return fmt.Sprintf("There is no field %s; %s has %s.", unknown, textOf(object[aThing]), strings.Join(known, ", "))
}

func (o *operation) noParameter(name string) error {
	var known []string
	for _, p := range o.parameters {
		if p.in == "query" {
			known = append(known, p.name)
		}
	}
	if len(known) == 0 {
		return invalid("There is no parameter %s; this route has none.", short(name))
	}
	slices.Sort(known)
	return invalid("There is no parameter %s; this route has %s.", short(name), strings.Join(known, ", "))
}

// mustBe says what a schema wants.
func (c *contract) mustBe(pointer string) string {
	schema, at := c.follow(pointer)
	if words := textOf(schema[mustBeWords]); words != "" {
		return words
	}
	if all := elements(schema["allOf"]); len(all) > 0 {
		return c.mustBe(at + "/allOf/0")
	}
	if choices := elements(schema["enum"]); len(choices) > 0 {
		return alternatives(choices)
	}
	types := elements(schema["type"])
	if one := textOf(schema["type"]); one != "" {
		types = []any{one}
	}
	var words []string
	for _, t := range types {
		if t != "null" { // who has a value to give wants to know what it may be
			words = append(words, typeWords(textOf(t), schema))
		}
	}
	return strings.Join(words, " or ")
}

func typeWords(t string, schema map[string]any) string {
	least, most := schema["minimum"], schema["maximum"]
	switch {
	case t == "integer" && least != nil && most != nil:
		return fmt.Sprintf("a whole number from %v to %v", least, most)
	case t == "integer" && least != nil:
		return fmt.Sprintf("a whole number from %v", least)
	case t == "integer":
		return "a whole number"
	case t == "boolean":
		return "true or false"
	case t == "object":
		return "an object"
	case schema["format"] == "date-time":
		return "a time, as 2026-05-04T00:00:00Z"
	case schema["minLength"] != nil && schema["maxLength"] != nil:
		return fmt.Sprintf("a string of %v to %v characters", schema["minLength"], schema["maxLength"])
	case schema["minLength"] != nil:
		return "a string that is not empty"
	}
	return "a string"
}

func alternatives(choices []any) string {
	words := make([]string, 0, len(choices))
	for _, choice := range choices {
		words = append(words, fmt.Sprint(choice))
	}
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// secret reports whether a schema lies in one that is never told: what was sent for it is quoted nowhere.
func (c *contract) secret(pointer string) bool {
	for ; pointer != ""; pointer = pointer[:strings.LastIndexByte(pointer, '/')] {
		if schema, _ := c.at(pointer).(map[string]any); schema["writeOnly"] == true {
			return true
		}
	}
	return false
}

// pointerOf is where in the document the schema lies that a value doesn't fit.
func pointerOf(e *jsonschema.ValidationError) string {
	_, fragment, _ := strings.Cut(e.SchemaURL, "#")
	if unescaped, err := url.PathUnescape(fragment); err == nil {
		fragment = unescaped
	}
	return fragment
}

func valueAt(sent any, location []string) any {
	for _, step := range location {
		object, _ := sent.(map[string]any)
		sent = object[step]
	}
	return sent
}

func encoded(v any) []byte {
	encoded, err := json.Marshal(v)
	if err != nil {
		return []byte("null") // it was decoded from JSON a moment ago
	}
	return encoded
}

func quoted(v any) string {
	if s, is := v.(string); is {
		return short(s)
	}
	const most = 80
	shown := string(encoded(v))
	if len(shown) > most {
		return shown[:most] + "…"
	}
	return shown
}

func joined(name, inner string) string {
	if name == "" {
		return inner
	}
	return name + "." + inner
}
