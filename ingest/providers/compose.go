package providers

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Sample is what Compose puts into a body.
type Sample struct {
	ID, Type, Connection string
	OccurredAt           time.Time // zero: the body names no time
	Data                 []byte    // a JSON value; nil: none
}

// Compose writes a body as the provider would, in which the mapping finds the
// sample again: for `tidemark send` and for tests. Each value goes to the first
// place in the body where the mapping looks for it; an id that the mapping reads
// from a header first is left to Sign. The error says what the mapping has no plain path for.
func (d *Definition) Compose(s Sample) ([]byte, error) {
	if !utf8.ValidString(s.ID + s.Type + s.Connection) {
		return nil, fmt.Errorf("composing a body of %s: JSON carries only UTF-8", d.name)
	}
	m := d.mapping
	root := &composed{}
	var data []string
	if len(m.data) > 0 {
		data = m.data[0].names
	}
	if s.Data != nil {
		if data == nil {
			return nil, fmt.Errorf("composing a body of %s: its mapping knows no data", d.name)
		}
		if err := root.at(data).parse(s.Data); err != nil {
			return nil, fmt.Errorf("composing a body of %s: the data: %w", d.name, err)
		}
	}
	values := []struct {
		what     string
		list     []*expr
		value    []byte
		required bool
	}{
		{"id", m.id, jsonString(s.ID), false},
		{"type", m.typ, jsonString(s.Type), true},
		{"occurred_at", m.occurredAt, m.times.format(s.OccurredAt), false},
		{"connection", m.connection, jsonString(s.Connection), true},
	}
	for _, v := range values {
		if v.value == nil {
			continue
		}
		if !v.required && len(v.list) > 0 && v.list[0].path.root == rootHeaders {
			continue
		}
		names, ok := composePlace(v.list, data)
		switch {
		case !ok && v.required:
			return nil, fmt.Errorf("composing a body of %s: mapping.%s has no plain path, as in body.%s", d.name, v.what, v.what)
		case ok:
			place := root.at(names)
			if place.raw != nil || place.members != nil {
				return nil, fmt.Errorf("composing a body of %s: the place of %s is taken by the data", d.name, v.what)
			}
			place.raw = v.value
		}
	}
	if err := root.check(); err != nil {
		return nil, fmt.Errorf("composing a body of %s: %w", d.name, err)
	}
	return root.append(nil), nil
}

// composePlace returns the first plain path of the list, from the body's root.
func composePlace(list []*expr, data []string) ([]string, bool) {
	for _, e := range list {
		switch {
		case e.path.root == rootBody && len(e.path.names) > 0:
			return e.path.names, true
		case e.path.root == rootData && len(e.path.names) > 0 && data != nil:
			return append(append([]string(nil), data...), e.path.names...), true
		}
	}
	return nil, false
}

// format writes a time as the definition says times are written; nil for none.
func (f timeFormat) format(t time.Time) []byte {
	if t.IsZero() {
		return nil
	}
	switch f.unit {
	case "s":
		return strconv.AppendInt(nil, t.Unix(), 10)
	case "ms":
		return strconv.AppendInt(nil, t.UnixMilli(), 10)
	case "us":
		return strconv.AppendInt(nil, t.UnixMicro(), 10)
	case "ns":
		return strconv.AppendInt(nil, t.UnixNano(), 10)
	}
	return jsonString(t.UTC().Format(time.RFC3339Nano))
}

// jsonString writes a text, nil for none.
func jsonString(s string) []byte {
	if s == "" {
		return nil
	}
	return quoted(s)
}

// quoted writes a text that is valid UTF-8.
func quoted(s string) []byte {
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil {
		panic(err) // the texts are checked, or come out of valid JSON
	}
	return b
}

// composed is a JSON value under construction: raw text, or members in order.
type composed struct {
	name    string
	raw     []byte
	members []*composed
}

// at returns the value at a path, made where it is not there.
func (c *composed) at(names []string) *composed {
next:
	for _, name := range names {
		for _, m := range c.members {
			if m.name == name {
				c = m
				continue next
			}
		}
		m := &composed{name: name}
		c.members = append(c.members, m)
		c = m
	}
	return c
}

// parse fills in a JSON value; an object's members stay apart, so that others can join them.
func (c *composed) parse(text []byte) error {
	if !jsontext.Value(text).IsValid() {
		return errors.New("not valid JSON")
	}
	if jsontext.Value(text).Kind() != '{' {
		c.raw = bytes.TrimSpace(text)
		return nil
	}
	c.members = []*composed{}
	d := jsontext.NewDecoder(bytes.NewReader(text))
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		m := &composed{name: name.String()}
		value, err := d.ReadValue()
		if err != nil {
			return err
		}
		m.raw = bytes.Clone(value)
		c.members = append(c.members, m)
	}
	return nil
}

// check finds a value that is both a text and an object.
func (c *composed) check() error {
	if c.raw != nil && len(c.members) > 0 {
		return fmt.Errorf("%q would have to be a value and hold others", c.name)
	}
	for _, m := range c.members {
		if err := m.check(); err != nil {
			return err
		}
	}
	return nil
}

func (c *composed) append(b []byte) []byte {
	if c.raw != nil {
		return append(b, c.raw...)
	}
	b = append(b, '{')
	for i, m := range c.members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, quoted(m.name)...), ':')
		b = m.append(b)
	}
	return append(b, '}')
}
