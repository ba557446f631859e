package httpapi

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"regexp"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed docs.html
var docsTemplate string

// docsPage is the contract as a page, made when it is first asked for. It has no script and loads nothing.
var docsPage = sync.OnceValue(func() renderedDocs {
	page, err := renderDocs(parsed())
	if err != nil {
		panic(fmt.Errorf("docs.html: %w", err))
	}
	return page
})

type renderedDocs struct {
	html   []byte
	policy string // a Content-Security-Policy that lets nothing but its own style take effect
}

func renderDocs(c *contract) (page renderedDocs, err error) {
	t, err := template.New("docs").Funcs(template.FuncMap{"prose": prose}).Parse(docsTemplate)
	if err != nil {
		return page, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, c.docs()); err != nil {
		return page, err
	}
	_, rest, _ := bytes.Cut(out.Bytes(), []byte("<style>"))
	style, _, _ := bytes.Cut(rest, []byte("</style>"))
	sum := sha256.Sum256(style)
	page.policy = fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; frame-ancestors 'none'", base64.StdEncoding.EncodeToString(sum[:]))
	page.html = out.Bytes()
	return page, nil
}

// docs is of the contract what the page shows.
type docs struct {
	Title, Summary, Description string
	Groups                      []docsGroup
	Schemas                     []docsSchema
}

type docsGroup struct {
	Name, Description string
	Operations        []docsOperation
}

type docsOperation struct {
	Method, Path, ID, Summary, Description string
	Parameters                             []docsField
	Body                                   *docsType // nil: none
	Examples                               []string
	Answers                                []docsAnswer
}

type docsAnswer struct {
	Status, Description string
	Type                docsType
}

type docsSchema struct {
	Name, Description string
	Type              docsType
	Fields            []docsField
}

type docsField struct {
	Name, In, Description, Default string
	Required                       bool
	Type                           docsType
}

// docsType is a type in words, and the schemas by name that it consists of.
type docsType struct {
	Words   string
	Schemas []string
}

func (c *contract) docs() docs {
	info, _ := c.follow("/info")
	d := docs{Title: textOf(info["title"]), Summary: textOf(info["summary"]), Description: textOf(info["description"])}
	for _, tag := range elements(c.at("/tags")) {
		described := tag.(map[string]any)
		d.Groups = append(d.Groups, c.docsGroup(textOf(described["name"]), textOf(described["description"])))
	}
	for _, name := range c.names("/components/schemas") {
		d.Schemas = append(d.Schemas, c.docsSchema(name))
	}
	return d
}

func (c *contract) docsGroup(name, description string) docsGroup {
	group := docsGroup{Name: name, Description: description}
	for _, path := range c.names("/paths") {
		for _, method := range c.names("/paths/" + escaped(path)) {
			o := c.operations[strings.ToUpper(method)+" "+ginPath(path)]
			if o == nil {
				continue
			}
			if described, _ := c.follow(o.pointer); textOf(elements(described["tags"])[0]) == name {
				group.Operations = append(group.Operations, o.docs(described))
			}
		}
	}
	return group
}

func (o *operation) docs(described map[string]any) docsOperation {
	d := docsOperation{Method: o.method, Path: o.template, ID: textOf(described["operationId"]), Summary: textOf(described["summary"]), Description: textOf(described["description"])}
	for _, list := range []string{"/paths/" + escaped(o.template) + "/parameters", o.pointer + "/parameters"} {
		for i := range elements(o.contract.at(list)) {
			parameter, at := o.contract.follow(fmt.Sprintf("%s/%d", list, i))
			field := o.contract.docsField(textOf(parameter["name"]), at+"/schema")
			field.In, field.Description, field.Required = textOf(parameter["in"]), textOf(parameter["description"]), parameter["required"] == true
			d.Parameters = append(d.Parameters, field)
		}
	}
	if body, at := o.contract.follow(o.pointer + "/requestBody"); body != nil {
		content := at + "/content/application~1json"
		d.Body = new(o.contract.docsType(content + "/schema"))
		for _, name := range o.contract.names(content + "/examples") {
			d.Examples = append(d.Examples, indented(o.contract.inOrder(content+"/examples/"+escaped(name)+"/value")))
		}
	}
	for _, status := range o.contract.names(o.pointer + "/responses") {
		answer, at := o.contract.follow(o.pointer + "/responses/" + status)
		a := docsAnswer{Status: status, Description: textOf(answer["description"])}
		for _, mediaType := range o.contract.names(at + "/content") {
			t := o.contract.docsType(at + "/content/" + escaped(mediaType) + "/schema")
			a.Type.Schemas = append(a.Type.Schemas, t.Schemas...)
			a.Type.Words = strings.TrimPrefix(a.Type.Words+", "+mediaType, ", ")
		}
		d.Answers = append(d.Answers, a)
	}
	return d
}

func (c *contract) docsSchema(name string) docsSchema {
	at := "/components/schemas/" + name
	schema, _ := c.follow(at)
	d := docsSchema{Name: name, Description: textOf(schema["description"]), Type: c.docsType(at), Fields: c.docsFields(at)}
	for i := range elements(schema["allOf"]) {
		if part := fmt.Sprintf("%s/allOf/%d", at, i); c.at(part+"/$ref") == nil {
			d.Fields = append(d.Fields, c.docsFields(part)...)
		}
	}
	return d
}

func (c *contract) docsFields(object string) (fields []docsField) {
	required := elements(c.at(object + "/required"))
	for _, name := range c.names(object + "/properties") {
		field := c.docsField(name, object+"/properties/"+escaped(name))
		for _, r := range required {
			field.Required = field.Required || r == name
		}
		fields = append(fields, field)
	}
	return fields
}

func (c *contract) docsField(name, pointer string) docsField {
	schema, _ := c.at(pointer).(map[string]any)
	field := docsField{Name: name, Type: c.docsType(pointer), Description: textOf(schema["description"])}
	if field.Description == "" {
		followed, _ := c.follow(pointer)
		field.Description = textOf(followed["description"])
	}
	if standard, given := schema["default"]; given {
		field.Default = fmt.Sprint(standard)
	}
	return field
}

// docsType says what a schema takes: a name where it has one, else words.
func (c *contract) docsType(pointer string) docsType {
	schema, _ := c.at(pointer).(map[string]any)
	if ref := textOf(schema["$ref"]); ref != "" {
		return docsType{Schemas: []string{ref[strings.LastIndexByte(ref, '/')+1:]}}
	}
	for _, combined := range []string{"oneOf", "anyOf", "allOf"} {
		var all docsType
		for i := range elements(schema[combined]) {
			part := c.docsType(fmt.Sprintf("%s/%s/%d", pointer, combined, i))
			all.Schemas = append(all.Schemas, part.Schemas...)
			if part.Words == "null" {
				all.Words = "or null"
			}
		}
		if len(all.Schemas) > 0 {
			return all
		}
	}
	if schema["type"] == "array" {
		of := c.docsType(pointer + "/items")
		return docsType{Words: strings.TrimSpace("list of " + of.Words), Schemas: of.Schemas}
	}
	return docsType{Words: typeOf(schema)}
}

func typeOf(schema map[string]any) string {
	if choices := elements(schema["enum"]); len(choices) > 0 {
		words := make([]string, len(choices))
		for i, choice := range choices {
			words[i] = strings.ReplaceAll(fmt.Sprint(choice), "<nil>", "null")
		}
		return strings.Join(words, ", ")
	}
	types := elements(schema["type"])
	if one := textOf(schema["type"]); one != "" {
		types = []any{one}
	}
	words := make([]string, len(types))
	for i, t := range types {
		words[i] = textOf(t)
	}
	said := strings.Join(words, " or ")
	if schema["format"] == "date-time" {
		said = strings.Replace(said, "string", "time", 1)
	}
	if least, most := schema["minimum"], schema["maximum"]; least != nil && most != nil {
		said += fmt.Sprintf(" from %v to %v", least, most)
	}
	return said
}

// indented is an example as JSON. One that can't be written so would be a fault of the contract, and is left out of the page.
func indented(example yaml.MapSlice) string {
	var out bytes.Buffer
	asJSON, err := yaml.MarshalWithOptions(example, yaml.JSON())
	if err != nil || json.Indent(&out, asJSON, "", "  ") != nil {
		return ""
	}
	return out.String()
}

var codeInProse = regexp.MustCompile("`([^`]+)`")

// prose makes paragraphs of a description, whose only markup are backquotes.
func prose(description string) template.HTML {
	var out strings.Builder
	for paragraph := range strings.SplitSeq(strings.TrimSpace(description), "\n\n") {
		escaped := template.HTMLEscapeString(paragraph)
		out.WriteString("<p>" + codeInProse.ReplaceAllString(escaped, "<code>$1</code>") + "</p>")
	}
	return template.HTML(out.String()) //nolint:gosec // escaped above, and it comes from the contract
}
