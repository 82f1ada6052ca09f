package providers

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// kindTime is the kind of an instant that CEL computed.
const kindTime = kindObject + 1

// value is what an expression gave.
type value struct {
	kind kind
	text []byte    // a string's text, a number's literal, true or false; may be part of the body
	at   time.Time // of kindTime
}

// value resolves a plain path. ok is false where only CEL can.
func (m *Mapper) value(p path) (v value, ok bool) {
	if m.spent() {
		return value{}, false
	}
	switch p.root {
	case rootType:
		return value{kind: kindString, text: m.typ}, len(p.names) == 0
	case rootHeaders:
		if len(p.names) != 1 {
			return value{}, false
		}
		h := m.header(p.names[0])
		if h == "" {
			return value{}, true
		}
		m.doc.work += uint64(len(h))
		from := len(m.scratch)
		m.scratch = append(m.scratch, h...)
		text := m.scratch[from:len(m.scratch):len(m.scratch)]
		return value{kind: kindString, text: text}, utf8.Valid(text)
	}
	n, ok := m.node(p)
	if !ok || n == noNode {
		return value{}, ok
	}
	if m.hides(n) {
		return value{kind: kindString, text: []byte(hiddenMask)}, true
	}
	v.kind = m.doc.nodes[n].kind
	switch v.kind {
	case kindString:
		v.text = m.string(n)
	case kindNumber, kindBool:
		v.text = m.doc.raw(n)
	}
	return v, true
}

// field resolves a path within an expression, to what CEL would go on with. ok
// is false where only CEL can.
func (m *Mapper) field(p path) (v value, ok bool) {
	if m.throughHidden(p) {
		return value{}, false
	}
	v, ok = m.value(p)
	if ok && (v.kind == kindAbsent || v.kind == kindNumber) && m.throughLong(p) {
		return value{}, false
	}
	return v, ok
}

// decodedText is the text of a string with escapes.
type decodedText struct {
	node int
	text []byte
}

// string returns the text of the string at n. Each is decoded once for an
// event, so that expressions cannot multiply a long one.
func (m *Mapper) string(n int) []byte {
	if !m.doc.nodes[n].escaped {
		text, _ := m.doc.string(n, nil)
		return text
	}
	for i := range m.decoded {
		m.doc.work++
		if m.decoded[i].node == n {
			return m.decoded[i].text
		}
	}
	var text []byte
	text, m.scratch = m.doc.string(n, m.scratch)
	m.decoded = append(m.decoded, decodedText{n, text})
	return text
}

// has decides has(path).
func (m *Mapper) has(p path) truth {
	if m.spent() {
		return askCEL
	}
	last := len(p.names) - 1
	if p.root == rootHeaders && last == 0 {
		return truthOf(m.header(p.names[0]) != "")
	}
	if p.root != rootBody && p.root != rootData {
		return askCEL
	}
	if m.throughHidden(p) {
		return askCEL
	}
	n, ok := m.node(p.parent())
	switch {
	case !ok:
		return askCEL
	case n == noNode && m.throughLong(p):
		return askCEL
	case n == noNode:
		return isAbsent
	case m.doc.nodes[n].kind != kindObject:
		return askCEL
	}
	return truthOf(m.doc.member(n, p.names[last]) != noNode)
}

// eval evaluates an expression for its value; what is absent is no error.
func (m *Mapper) eval(e *expr) (value, *Unplaceable) {
	m.use = forValue
	if e.path.root != rootNone {
		v, ok := m.value(e.path)
		if ok {
			return v, nil
		}
		if e.path.root == rootHeaders && !m.spent() {
			return value{}, e.failed(errors.New("the header is not UTF-8"))
		}
	}
	if e.term != nil {
		if v, ok := e.term.value(m); ok {
			return v, nil
		}
	}
	out, err := m.run(e)
	if err != nil {
		if absent, _ := missing(err); absent {
			return value{}, nil
		}
		return value{}, e.failed(err)
	}
	v, ok := fromCEL(out)
	if !ok {
		return value{}, e.failed(fmt.Errorf("the number %v is computed and may have lost digits; name its field alone", out))
	}
	return v, nil
}

// holds evaluates a condition. Where a field is absent or of another type it does not hold.
func (m *Mapper) holds(e *expr) (bool, *Unplaceable) {
	m.use = forCondition
	if e.cond != nil {
		if t := e.cond.eval(m); t != askCEL {
			return t == isTrue, nil
		}
	}
	out, err := m.run(e)
	if err != nil {
		if absent, mismatch := missing(err); absent || mismatch {
			return false, nil
		}
		if len(m.hidden) > 0 && !tooCostly(err) { // a condition reads what is hidden, and CEL's errors quote
			err = errors.New("what went wrong may quote a sensitive field and is not shown")
		}
		return false, e.failed(err)
	}
	return out == types.True, nil
}

// run evaluates an expression in CEL.
func (m *Mapper) run(e *expr) (ref.Val, error) {
	if m.spent() {
		return nil, errEventCost
	}
	out, details, err := e.program.Eval((*activation)(m))
	if details != nil {
		if cost := details.ActualCost(); cost != nil {
			m.spend(*cost)
		}
	}
	return out, err
}

// failed says which expression failed and how.
func (e *expr) failed(err error) *Unplaceable {
	return unplaceable(CodeExpression, fmt.Sprintf("%s: the expression `%s` failed: %v", e.where, cut(e.source, 200), err))
}

// kinds is a set of kinds.
type kinds uint16

const (
	scalarKinds = kinds(1<<kindString | 1<<kindNumber)
	detailKinds = scalarKinds | 1<<kindBool
)

// text returns the first text that the list gives: not absent, not null, not "",
// and of one of the kinds. A number's text is its literal, digit for digit.
func (m *Mapper) text(list []*expr, of kinds) ([]byte, *Unplaceable) {
	for _, e := range list {
		v, err := m.eval(e)
		if err != nil {
			return nil, err
		}
		if of&(1<<v.kind) != 0 && len(v.text) > 0 {
			return v.text, nil
		}
	}
	return nil, nil
}

// first returns the first value of the list that is not absent, not null and not "".
func (m *Mapper) first(list []*expr) (value, *Unplaceable) {
	for _, e := range list {
		v, err := m.eval(e)
		if err != nil {
			return v, err
		}
		if v.kind != kindAbsent && (v.kind != kindString || len(v.text) > 0) {
			return v, nil
		}
	}
	return value{}, nil
}

// emptyString reports whether node n is "".
func (m *Mapper) emptyString(n int) bool {
	k := &m.doc.nodes[n]
	return k.kind == kindString && k.end-k.start == 2
}
