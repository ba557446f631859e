package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Request is one that a test makes of the contract.
type Request struct {
	Name, Method, Target, Body string
	Header                     []string // names and values
	Open                       bool     // the contract asks for no token
}

// GoodRequests are one for each operation, with what it must have and nothing else.
func GoodRequests() (all []Request) {
	for _, name := range slices.Sorted(maps.Keys(parsed().operations)) {
		o := parsed().operations[name]
		all = append(all, o.request("as it should be", nil, o.example()))
	}
	return all
}

// BadRequests are all that can be made of good ones by leaving out what is required, by what is of another type, out of its range or not
// known. Each is to be refused as invalid_request.
func BadRequests() (all []Request) {
	for _, name := range slices.Sorted(maps.Keys(parsed().operations)) {
		o := parsed().operations[name]
		all = append(all, o.request("unknown parameter", url.Values{"bogus": {"1"}}, o.example()))
		for _, p := range o.parameters {
			all = append(all, o.badParameter(p)...)
		}
		all = append(all, o.badBodies()...)
	}
	return all
}

func (o *operation) request(what string, query url.Values, body map[string]any) Request {
	r := Request{Name: o.method + " " + o.template + ", " + what, Method: o.method, Target: strings.NewReplacer("{id}", o.exampleID()).Replace(o.template)}
	if len(query) > 0 {
		r.Target += "?" + query.Encode()
	}
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			panic(err)
		}
		r.Body = string(encoded)
	}
	described, _ := o.contract.follow(o.pointer)
	security, given := described["security"].([]any)
	r.Open = given && len(security) == 0
	return r
}

func (o *operation) exampleID() string {
	if strings.HasPrefix(o.template, "/portals") {
		return "LAB"
	}
	return "1"
}

// example is a body with what is required; nil where none is read.
func (o *operation) example() map[string]any {
	if o.body == nil {
		return nil
	}
	schema, at := o.bodySchema()
	body := map[string]any{}
	for _, name := range elements(schema["required"]) {
		body[name.(string)] = o.contract.exampleOf(name.(string), at+"/properties/"+name.(string))
	}
	return body
}

func (o *operation) bodySchema() (map[string]any, string) {
	_, body := o.contract.follow(o.pointer + "/requestBody")
	return o.contract.follow(body + "/content/application~1json/schema")
}

func (c *contract) exampleOf(name, pointer string) any {
	schema, _ := c.follow(pointer)
	if choices := elements(schema["enum"]); len(choices) > 0 {
		return choices[0]
	}
	if strings.HasSuffix(name, "_path") {
		return "/data/" + name
	}
	return "example"
}

// badParameter gives a parameter what its schema doesn't take.
func (o *operation) badParameter(p parameter) (all []Request) {
	for what, bad := range o.contract.badValues(p.pointer) {
		sent := fmt.Sprint(bad)
		switch {
		case p.schema.Validate(value(o.contract, p.pointer, sent)) == nil: // as text it is one
		case p.in == "query":
			all = append(all, o.request(p.name+" "+what, url.Values{p.name: {sent}}, o.example()))
		case p.in == "header":
			r := o.request(p.name+" "+what, nil, o.example())
			r.Header = []string{p.name, sent}
			all = append(all, r)
		case sent != "": // an empty step of a path is another route
			r := o.request(p.name+" "+what, nil, o.example())
			r.Target = strings.NewReplacer("{id}", url.PathEscape(sent)).Replace(o.template)
			all = append(all, r)
		}
	}
	if p.in == "query" {
		all = append(all, o.request(p.name+" twice", url.Values{p.name: {"1", "1"}}, o.example()))
	}
	return all
}

func (o *operation) badBodies() (all []Request) {
	if o.body == nil {
		return nil
	}
	schema, at := o.bodySchema()
	altered := func(what, name string, value any) {
		body := o.example()
		body[name] = value
		all = append(all, o.request(what, nil, body))
	}
	altered("unknown field", "bogus", 1)
	for _, name := range elements(schema["required"]) {
		body := o.example()
		delete(body, name.(string))
		all = append(all, o.request(name.(string)+" missing", nil, body))
	}
	for _, name := range o.contract.names(at + "/properties") {
		property := at + "/properties/" + name
		for what, value := range o.contract.badValues(property) {
			altered(name+" "+what, name, value)
		}
		inner, innerAt := o.contract.follow(property)
		if inner["additionalProperties"] == false {
			altered(name+" unknown field", name, map[string]any{"bogus": 1})
		}
		for _, field := range o.contract.names(innerAt + "/properties") {
			for what, value := range o.contract.badValues(innerAt + "/properties/" + field) {
				altered(name+"."+field+" "+what, name, map[string]any{field: value})
			}
		}
	}
	return all
}

// badValues are those that a schema doesn't take, by what is wrong with them.
func (c *contract) badValues(pointer string) map[string]any {
	schema, _ := c.follow(pointer)
	if all := elements(schema["allOf"]); len(all) > 0 {
		return c.badValues(pointer + "/allOf/0")
	}
	bad := map[string]any{"a list": []any{1}}
	if least, is := schema["minimum"].(json.Number); is {
		n, _ := least.Int64()
		bad["below the least"] = n - 1
	}
	if schema["maximum"] != nil {
		bad["above the most"] = json.Number("9223372036854775808")
		if most, _ := schema["maximum"].(json.Number).Int64(); most < 1<<53+1 {
			bad["above the most"] = most + 1
		}
	}
	if schema["minLength"] != nil || schema["pattern"] != nil || schema["enum"] != nil || schema["format"] == "date-time" {
		bad["not one of these"] = "\u00e9 no such value !"
	}
	if schema["minLength"] != nil || schema["enum"] != nil {
		bad["empty"] = ""
	}
	if schema["maxLength"] != nil {
		bad["too long"] = strings.Repeat("x", 300)
	}
	for what, value := range bad {
		compiled, err := c.compile(pointer)
		if err != nil {
			panic(err)
		}
		if encoded, err := json.Marshal(value); err != nil || compiled.Validate(decodedNumber(encoded)) == nil {
			delete(bad, what) // a portal's reference may be any text
		}
	}
	return bad
}

func decodedNumber(encoded []byte) (v any) {
	decoder := json.NewDecoder(strings.NewReader(string(encoded)))
	decoder.UseNumber()
	if err := decoder.Decode(&v); err != nil {
		panic(err)
	}
	return v
}
