package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsHTML string

//go:embed docs.css
var docsCSS string

// docsPolicy lets the page have its one style sheet and nothing else: no
// script, no font, no picture, nothing from another place.
var docsPolicy = "default-src 'none'; style-src 'sha256-" + sha256Base64(docsCSS) + "'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

func sha256Base64(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

type docsData struct {
	Info       *huma.Info
	Style      template.CSS
	Operations []docsOperation
	Codes      []codeMeaning
	Schemas    []docsSchema
}

type docsOperation struct {
	*huma.Operation
	// Body is the type of what is posted, nil where nothing is.
	Body   *docsType
	Answer []docsAnswer
}

type docsAnswer struct {
	Status, Description, MediaType string
	Type                           docsType
}

type docsSchema struct {
	Name   string
	Fields []docsField
}

type docsField struct {
	Name        string
	Type        docsType
	Required    bool
	Description string
}

// docsType is a type in words, with the schema it leads to, if any.
type docsType struct {
	Before, Ref, After string
	Enum               []any
}

// docsPage writes the document as a page for people that needs nothing but itself.
func docsPage(doc *huma.OpenAPI) ([]byte, error) {
	page := template.New("docs").Funcs(template.FuncMap{"typeOf": typeOf, "example": exampleOf})
	page, err := page.Parse(docsHTML)
	if err != nil {
		return nil, err
	}
	data := docsData{Info: doc.Info, Style: template.CSS(docsCSS), Codes: meanings}
	for _, path := range slices.SortedFunc(maps.Keys(doc.Paths), documentOrder) {
		for _, op := range []*huma.Operation{doc.Paths[path].Get, doc.Paths[path].Post} {
			if op != nil {
				data.Operations = append(data.Operations, docsOf(op))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(doc.Components.Schemas.Map())) {
		data.Schemas = append(data.Schemas, schemaOf(name, doc.Components.Schemas.Map()[name]))
	}
	var out bytes.Buffer
	err = page.Execute(&out, data)
	return out.Bytes(), err
}

func docsOf(op *huma.Operation) docsOperation {
	o := docsOperation{Operation: op}
	if b := op.RequestBody; b != nil && b.Content["application/json"] != nil {
		t := typeOf(b.Content["application/json"].Schema)
		o.Body = &t
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		r := op.Responses[status]
		for _, media := range slices.Sorted(maps.Keys(r.Content)) {
			content := r.Content[media]
			a := docsAnswer{Status: status, Description: r.Description, MediaType: media}
			if content.Schema != nil {
				a.Type = typeOf(content.Schema)
			}
			o.Answer = append(o.Answer, a)
		}
	}
	return o
}

// documentOrder puts the queries before what the server says of itself.
func documentOrder(a, b string) int {
	if qa, qb := strings.HasPrefix(a, "/v1/"), strings.HasPrefix(b, "/v1/"); qa != qb {
		if qa {
			return -1
		}
		return 1
	}
	return strings.Compare(a, b)
}

func schemaOf(name string, s *huma.Schema) docsSchema {
	out := docsSchema{Name: name}
	for _, field := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[field]
		out.Fields = append(out.Fields, docsField{
			Name: field, Type: typeOf(p), Description: p.Description, Required: slices.Contains(s.Required, field),
		})
	}
	return out
}

func typeOf(s *huma.Schema) docsType {
	switch {
	case s.Ref != "":
		return docsType{Ref: s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]}
	case s.Type == huma.TypeArray:
		t := typeOf(s.Items)
		t.Before = "list of " + t.Before
		return t
	case s.Type == huma.TypeObject:
		if value, ok := s.AdditionalProperties.(*huma.Schema); ok {
			t := typeOf(value)
			t.Before = "map from name to " + t.Before
			return t
		}
	}
	t := docsType{Before: s.Type, Enum: s.Enum}
	if s.Format == "date-time" {
		t.Before = "time"
	}
	if s.Minimum != nil && s.Maximum != nil {
		t.After = fmt.Sprintf(" from %.0f to %.0f", *s.Minimum, *s.Maximum)
	}
	if s.Nullable {
		t.After += " or null"
	}
	return t
}

// exampleOf returns a command line that asks for an operation.
func exampleOf(o docsOperation) string {
	r := strings.NewReplacer("{source}", "makini", "{connection}", "conn_42", "{id}", "01JZXW8Q5R0000000000000000")
	path := o.Path
	if strings.HasPrefix(path, "/v1/rebuilds/{id}") {
		path = strings.Replace(path, "{id}", "last", 1)
	}
	options := ""
	if o.Method == http.MethodPost {
		options = "-X POST "
	}
	if o.Body != nil {
		options += "-H 'Content-Type: application/json' -d '{}' "
	}
	return "curl " + options + "http://127.0.0.1:8080" + r.Replace(path)
}
