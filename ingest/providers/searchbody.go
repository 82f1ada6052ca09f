package providers

import (
	"bytes"
	"maps"
	"net/url"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// bodyForm is a body that may have been signed.
type bodyForm struct {
	body   []byte
	caveat string
}

// formatted are the ways in which programs write JSON anew.
var formatted = []struct {
	words  string
	format func(*jsontext.Value) error
}{
	{"the compact form of this one", func(v *jsontext.Value) error { return v.Compact() }},
	{"this one indented by two blanks", func(v *jsontext.Value) error { return v.Indent(jsontext.WithIndent("  ")) }},
	{"this one indented by four blanks", func(v *jsontext.Value) error { return v.Indent(jsontext.WithIndent("    ")) }},
	{"this one on one line with blanks after colons and commas", func(v *jsontext.Value) error {
		return v.Format(jsontext.SpaceAfterColon(true), jsontext.SpaceAfterComma(true))
	}},
	{"this one with its names sorted", func(v *jsontext.Value) error { return v.Canonicalize() }},
}

// bodies lists the body and what may have become of it on the way: the one that
// came is first.
func (s *search) bodies() []bodyForm {
	body := s.request.Body
	out := []bodyForm{{body, ""}}
	if trimmed := bytes.TrimRight(body, "\r\n"); len(trimmed) != len(body) {
		out = append(out, bodyForm{trimmed, "the signed body has no newline at its end: something added it on the way"})
	} else {
		out = append(out, bodyForm{append(body[:len(body):len(body)], '\n'), "the signed body ends with a newline: something cut it off on the way"})
	}
	if bytes.Contains(body, []byte("\r\n")) {
		out = append(out, bodyForm{bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n")), "the signed body has bare newlines: something made CR LF of them on the way"})
	}
	for _, f := range formatted {
		v := jsontext.Value(bytes.Clone(body))
		known := func(b bodyForm) bool { return bytes.Equal(v, b.body) }
		if f.format(&v) == nil && !slices.ContainsFunc(out, known) {
			out = append(out, bodyForm{v, "the signed body is " + f.words + ": something formatted it anew on the way"})
		}
	}
	return append(out, formFields(body)...)
}

// formFields are the values of a form, one of which may be what is signed.
func formFields(body []byte) []bodyForm {
	const most = 4
	if len(body) == 0 || body[0] == '{' || body[0] == '[' || !bytes.ContainsRune(body, '=') {
		return nil
	}
	fields, err := url.ParseQuery(string(body))
	if err != nil || len(fields) > most {
		return nil
	}
	var out []bodyForm
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if values := fields[name]; len(values) == 1 {
			out = append(out, bodyForm{[]byte(values[0]), "the value of the form field " + cut(name, 32) + " is signed, and not the body as it is sent"})
		}
	}
	return out
}
