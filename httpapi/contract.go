package httpapi

import (
	"bytes"
	_ "embed"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:generate go tool -modfile=../infra/tools/go.mod oapi-codegen -config codegen/server.yaml openapi.yaml
//go:generate go tool -modfile=../infra/tools/go.mod oapi-codegen -config codegen/client.yaml openapi.yaml

// Contract is what every route takes and answers, as OpenAPI 3.1. The server's and the client's types are made of it, requests are
// checked against it, and so are all answers in the tests.
//
//go:embed openapi.yaml
var Contract []byte

// contract is the parsed document. Its schemas are JSON Schema 2020-12, as OpenAPI 3.1 has it, and so need no other validator.
type contract struct {
	document   any
	ordered    any // the same, with the names of its objects in order
	compiler   *jsonschema.Compiler
	operations map[string]*operation // by method and path, as gin writes it: GET /jobs/:id
}

// operation is what one method at one path takes.
type operation struct {
	contract   *contract
	method     string
	template   string // the path as the document writes it: /jobs/{id}
	pointer    string // to the operation in the document
	parameters map[string]parameter
	body       *jsonschema.Schema // nil: none is read
	needsBody  bool
}

// parameter is a value outside the body. All that there are have one value, of a simple type.
type parameter struct {
	name, in string // in: query, header or path
	pointer  string // to its schema
	schema   *jsonschema.Schema
}

// contractURL is the document's address among the compiler's; nothing is ever asked for there.
const contractURL = "urn:ketter:openapi"

// parsed is the contract, parsed when it is first needed. It is embedded, so that a fault in it is one of the build.
var parsed = sync.OnceValue(func() *contract {
	c, err := parseContract(Contract)
	if err != nil {
		panic(fmt.Errorf("openapi.yaml: %w", err))
	}
	return c
})

func parseContract(text []byte) (*contract, error) {
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, err
	}
	c := &contract{compiler: jsonschema.NewCompiler(), operations: map[string]*operation{}}
	if err := yaml.UnmarshalWithOptions(text, &c.ordered, yaml.UseOrderedMap()); err != nil {
		return nil, err
	}
	if c.document, err = jsonschema.UnmarshalJSON(bytes.NewReader(asJSON)); err != nil {
		return nil, err
	}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	c.compiler.RegisterFormat(&jsonschema.Format{Name: "date-time", Validate: checkTime})
	if err := c.compiler.AddResource(contractURL, c.document); err != nil {
		return nil, err
	}
	for _, path := range c.names("/paths") {
		if err := c.addPath(path); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return c, nil
}

// checkTime takes the times that Go can read and write: RFC 3339 has leap seconds besides, and a zone may lead out of the years it has.
func checkTime(value any) error {
	text, is := value.(string)
	if !is {
		return nil // which is the type's affair
	}
	t, err := time.Parse(time.RFC3339, text)
	if year := t.UTC().Year(); err == nil && (year < 0 || year > 9999) {
		err = fmt.Errorf("the year %d", year)
	}
	return err
}

func (c *contract) addPath(path string) error {
	item := "/paths/" + escaped(path)
	for _, method := range c.names(item) {
		if method == "parameters" {
			continue
		}
		o := &operation{contract: c, method: strings.ToUpper(method), template: path, pointer: item + "/" + method, parameters: map[string]parameter{}}
		if err := o.addParameters(item + "/parameters"); err != nil {
			return err
		}
		if err := o.addParameters(o.pointer + "/parameters"); err != nil {
			return err
		}
		if err := o.addBody(); err != nil {
			return err
		}
		c.operations[o.method+" "+ginPath(path)] = o
	}
	return nil
}

func (o *operation) addParameters(list string) error {
	for i := range elements(o.contract.at(list)) {
		described, pointer := o.contract.follow(fmt.Sprintf("%s/%d", list, i))
		p := parameter{name: textOf(described["name"]), in: textOf(described["in"])}
		schema, err := o.contract.compile(pointer + "/schema")
		if err != nil {
			return err
		}
		p.schema = schema
		_, p.pointer = o.contract.follow(pointer + "/schema")
		o.parameters[p.in+" "+p.name] = p
	}
	return nil
}

func (o *operation) addBody() (err error) {
	if o.contract.at(o.pointer+"/requestBody") == nil {
		return nil
	}
	described, pointer := o.contract.follow(o.pointer + "/requestBody")
	o.needsBody, _ = described["required"].(bool)
	o.body, err = o.contract.compile(pointer + "/content/application~1json/schema")
	return err
}

func (c *contract) compile(pointer string) (*jsonschema.Schema, error) {
	return c.compiler.Compile(contractURL + "#" + pointer)
}

// of returns the operation that a request is for, nil if the contract knows none: River UI's are its own.
func (c *contract) of(method, ginPath string) *operation {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	return c.operations[method+" "+ginPath]
}

// at returns what a JSON pointer points to, nil where there is nothing.
func (c *contract) at(pointer string) any {
	node := c.document
	for step := range steps(pointer) {
		switch inner := node.(type) {
		case map[string]any:
			node = inner[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(inner) {
				return nil
			}
			node = inner[i]
		default:
			return nil
		}
	}
	return node
}

// inOrder is the object that a pointer without $refs leads to, in the document's order.
func (c *contract) inOrder(pointer string) yaml.MapSlice {
	node := c.ordered
	for step := range steps(pointer) {
		object, _ := node.(yaml.MapSlice)
		node = nil
		for _, item := range object {
			if item.Key == step {
				node = item.Value
			}
		}
	}
	object, _ := node.(yaml.MapSlice)
	return object
}

// names are those of the object that a pointer without $refs leads to.
func (c *contract) names(pointer string) (names []string) {
	for _, item := range c.inOrder(pointer) {
		names = append(names, fmt.Sprint(item.Key))
	}
	return names
}

// steps are a JSON pointer's.
func steps(pointer string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, step := range strings.Split(pointer, "/")[1:] {
			if !yield(strings.NewReplacer("~1", "/", "~0", "~").Replace(step)) {
				return
			}
		}
	}
}

// follow is at for an object, and for what its $ref leads to; it returns the pointer to that as well.
func (c *contract) follow(pointer string) (map[string]any, string) {
	for {
		node, _ := c.at(pointer).(map[string]any)
		ref, elsewhere := node["$ref"].(string)
		if !elsewhere {
			return node, pointer
		}
		pointer = strings.TrimPrefix(ref, "#")
	}
}

func ginPath(path string) string { return strings.NewReplacer("{", ":", "}", "").Replace(path) }

func escaped(step string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(step) }

func elements(node any) []any {
	list, _ := node.([]any)
	return list
}

func textOf(node any) string {
	s, _ := node.(string)
	return s
}
