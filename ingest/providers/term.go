package providers

import "strconv"

// term is an expression for a value that is evaluated on the index of the body.
//
// What it costs is bounded by construction. An expression has at most
// maxExpression bytes, so a few hundred terms; there are no loops, and each term
// is evaluated at most once. It goes through an object's members or an array's
// elements once for each step of its path, decodes a string only if nothing has
// done so for this event, and puts together at most maxJoined bytes. What would
// take more is left to CEL, and so to its limit. All of it counts towards the
// limit of the event.
type term struct {
	op    termOp
	path  path
	fixed value   // a literal: by itself, or what a text is cut at
	index int     // of a piece
	when  *cond   // of a choice
	parts []*term // of a choice, the two; of a conversion, what is converted; of a text, what it is made of
}

type termOp uint8

const (
	termPath termOp = iota
	termLiteral
	termJoin   // texts, one after another
	termChoice // when ? parts[0] : parts[1]
	termString // string(parts[0])
	termLower  // parts[0].lowerAscii()
	termTrim   // parts[0].trim()
	termPiece  // parts[0].split(fixed)[index]
	termRest   // what follows the last fixed: parts[0].substring(parts[0].lastIndexOf(fixed) + its length)
)

// maxJoined is the longest text that is put together without CEL, in bytes.
const maxJoined = 1 << 16

// value evaluates the term as CEL's answer is read. ok is false where CEL must be asked.
func (t *term) value(m *Mapper) (v value, ok bool) {
	if v, ok = t.eval(m); !ok {
		return value{}, false
	}
	switch v.kind {
	case kindNull:
		return value{}, true
	case kindNumber:
		return m.integer(v)
	case kindArray, kindObject:
		return value{}, false
	}
	return v, true
}

// eval evaluates the term within another. Where something is absent, so is the whole.
func (t *term) eval(m *Mapper) (v value, ok bool) {
	switch t.op {
	case termPath:
		return m.field(t.path)
	case termLiteral:
		return t.fixed, true
	case termJoin:
		return t.join(m)
	case termChoice:
		switch t.when.eval(m) {
		case isTrue:
			return t.parts[0].eval(m)
		case isFalse:
			return t.parts[1].eval(m)
		case isAbsent:
			return value{}, true
		}
		return value{}, false
	}
	if v, ok = t.parts[0].eval(m); !ok || v.kind == kindAbsent {
		return v, ok
	}
	if t.op != termString {
		return t.part(m, v)
	}
	switch v.kind {
	case kindNumber:
		if v, ok = m.integer(v); !ok {
			return value{}, false
		}
	case kindString, kindBool:
	default:
		return value{}, false
	}
	return value{kind: kindString, text: v.text}, true
}

// join puts the texts of the parts together.
func (t *term) join(m *Mapper) (v value, ok bool) {
	var few [8][]byte
	texts, size := few[:0], 0
	for _, part := range t.parts {
		v, ok := part.eval(m)
		if !ok || v.kind == kindAbsent {
			return v, ok
		}
		if size += len(v.text); v.kind != kindString || size > maxJoined {
			return value{}, false
		}
		texts = append(texts, v.text)
	}
	m.doc.work += uint64(size)
	from := len(m.scratch)
	for _, text := range texts {
		m.scratch = append(m.scratch, text...)
	}
	return value{kind: kindString, text: m.scratch[from:len(m.scratch):len(m.scratch)]}, true
}

// integer writes a 64-bit integer as CEL does; ok is false for other numbers.
func (m *Mapper) integer(v value) (value, bool) {
	n, ok := integer(v.text)
	if !ok {
		return value{}, false
	}
	from := len(m.scratch)
	m.scratch = strconv.AppendInt(m.scratch, n, 10)
	v.text = m.scratch[from:len(m.scratch):len(m.scratch)]
	return v, true
}
