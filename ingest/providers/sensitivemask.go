package providers

import (
	"bytes"
	"net/url"
	"sort"
)

// MaskedWhole is the number that Mask returns where nothing of a body may be shown.
const MaskedWhole = -1

// Mask returns a body as it may be shown, and how many values it masked: each
// stands as the JSON string "[masked]", and all else is as it was, byte for byte. A body that
// cannot be read, so that nobody can say where its sensitive fields are, is masked whole
// (MaskedWhole). header gives the kept headers as for Map. The answer is body itself where nothing is masked.
func (d *Definition) Mask(body []byte, header func(name string) string) (shown []byte, masked int) {
	if !d.Hides() || isRedacted(body) {
		return body, 0
	}
	var p payload
	if !p.open(d, body, header) {
		return MaskWhole()
	}
	nodes := d.hidden.covered(&p.doc, nil)
	if len(nodes) == 0 {
		return body, 0
	}
	return p.splice(nil, nodes, func(dst []byte, _ int) []byte {
		return append(dst, `"`+hiddenMask+`"`...)
	}), len(nodes)
}

// MaskWhole is what is shown of a body of which nothing may be shown.
func MaskWhole() (shown []byte, masked int) { return []byte(hiddenMask), MaskedWhole }

// payload is a body and the JSON document in it: the body itself, or the value of a form's field.
type payload struct {
	body     []byte
	doc      document
	form     []byte // the document that a form held, decoded
	from, to int    // where the document stands in the body
	isForm   bool
}

// open reads a body. It returns false where there is no document in it.
func (p *payload) open(d *Definition, body []byte, header func(name string) string) bool {
	p.body, p.from, p.to = body, 0, len(body)
	field := d.mapping.formField
	if p.isForm = field != "" && isForm(header(headerContentType)); p.isForm {
		var err error
		if p.form, err = formValue(p.form[:0], body, field); err != nil {
			return false
		}
		p.from, p.to = formSpan(body, field)
		body = p.form
	}
	return p.doc.index(body) == nil
}

// formSpan returns where the value of a field stands in a form that has it.
func formSpan(form []byte, field string) (from, to int) {
	var name []byte
	for at := 0; at < len(form); {
		pair, _, _ := bytes.Cut(form[at:], []byte("&"))
		key, value, _ := bytes.Cut(pair, []byte("="))
		var bad int
		if name, bad = appendUnescaped(name[:0], key); bad < 0 && string(name) == field {
			return at + len(pair) - len(value), at + len(pair)
		}
		at += len(pair) + 1
	}
	return len(form), len(form)
}

// splice appends the body to dst with other JSON in the place of some values,
// given in the order of the document. Every other byte stays as it is.
func (p *payload) splice(dst []byte, nodes []int, text func(dst []byte, n int) []byte) []byte {
	var scratch []byte
	done := 0                 // how much of the body is taken over
	raw, decoded := p.from, 0 // the same place, in the body and in the document
	for _, n := range nodes {
		k := &p.doc.nodes[n]
		raw, decoded = p.inBody(raw, decoded, int(k.start)), int(k.start)
		dst = append(dst, p.body[done:raw]...)
		if scratch = text(scratch[:0], n); p.isForm {
			dst = append(dst, url.QueryEscape(string(scratch))...)
		} else {
			dst = append(dst, scratch...)
		}
		raw, decoded = p.inBody(raw, decoded, int(k.end)), int(k.end)
		done = raw
	}
	return append(dst, p.body[done:]...)
}

// inBody returns where in the body the document's byte at target stands, given
// that the one at decoded stands at raw.
func (p *payload) inBody(raw, decoded, target int) int {
	if !p.isForm {
		return p.from + target
	}
	for ; decoded < target; decoded++ {
		if p.body[raw] == '%' {
			raw += 2
		}
		raw++
	}
	return raw
}

// hide notes which values of the document at hand must not be shown.
func (m *Mapper) hide() {
	if m.hidden = m.hidden[:0]; m.def.hidden.any() {
		m.hidden = m.def.hidden.covered(&m.doc, m.hidden)
	}
}

// hides reports whether node n is such a value, or a part of one.
func (m *Mapper) hides(n int) bool {
	if len(m.hidden) == 0 || m.use == forCondition {
		return false
	}
	i := sort.SearchInts(m.hidden, n+1) // the first behind n
	return i > 0 && n < int(m.doc.nodes[m.hidden[i-1]].next)
}

// masked refuses an id or a type that a computed expression made of a hidden
// value: all its events would become one.
func (m *Mapper) masked(text []byte, what string) *Unplaceable {
	if len(m.hidden) > 0 && bytes.Contains(text, []byte(hiddenMask)) {
		return unplaceable(CodeSensitive, what+" would be taken from a field that is sensitive, or to be redacted and is not")
	}
	return nil
}
