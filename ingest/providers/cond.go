package providers

import (
	"bytes"
	"regexp"
	"strconv"
)

// truth is the outcome of a condition. CEL has errors as a third value, which
// && and || absorb where the other side decides.
type truth uint8

const (
	isFalse truth = iota
	isTrue
	isAbsent // a field is absent
	isError  // a field is of a type that the operation does not have
	askCEL   // beyond what is evaluated here
)

func truthOf(b bool) truth {
	if b {
		return isTrue
	}
	return isFalse
}

// cond is a condition that is evaluated on the index of the body.
type cond struct {
	op          condOp
	path        path
	text        string   // of the comparison
	texts       []string // of in
	number      int64    // of the comparison; 0 or 1 for a boolean
	pattern     *regexp.Regexp
	left, right *cond
}

type condOp uint8

const (
	opAnd condOp = iota
	opOr
	opNot
	opField // a boolean field by itself
	opHas
	opEqualText
	opEqualBool
	opIn
	opPrefix
	opSuffix
	opContains
	opMatches
	opEqualInt
	opLessInt
	opGreaterInt
)

// eval decides the condition on the event that m reads.
func (c *cond) eval(m *Mapper) truth {
	switch c.op {
	case opAnd, opOr:
		decides := truthOf(c.op == opOr)
		left := c.left.eval(m)
		if left == decides || left == askCEL {
			return left
		}
		right := c.right.eval(m)
		if right == decides || right == askCEL || left == isTrue || left == isFalse {
			return right
		}
		return left
	case opNot:
		switch t := c.left.eval(m); t {
		case isFalse:
			return isTrue
		case isTrue:
			return isFalse
		default:
			return t
		}
	case opHas:
		return m.has(c.path)
	}
	v, ok := m.field(c.path)
	if !ok {
		return askCEL
	}
	if v.kind == kindAbsent {
		return isAbsent
	}
	return c.compare(m, v)
}

// compare decides about a value that is there.
func (c *cond) compare(m *Mapper, v value) truth {
	switch c.op {
	case opField:
		if v.kind != kindBool {
			return isError
		}
		return truthOf(v.text[0] == 't')
	case opEqualText:
		return truthOf(v.kind == kindString && string(v.text) == c.text)
	case opEqualBool:
		return truthOf(v.kind == kindBool && boolNumber(v.text[0] == 't') == c.number)
	case opIn:
		for _, t := range c.texts {
			if v.kind == kindString && string(v.text) == t {
				return isTrue
			}
		}
		return isFalse
	case opEqualInt:
		if v.kind != kindNumber {
			return isFalse
		}
		n, ok := integer(v.text)
		if !ok {
			return askCEL
		}
		return truthOf(n == c.number)
	case opLessInt, opGreaterInt:
		if v.kind != kindNumber {
			return isError
		}
		n, ok := integer(v.text)
		if !ok {
			return askCEL
		}
		return truthOf(c.op == opLessInt && n < c.number || c.op == opGreaterInt && n > c.number)
	}
	if v.kind != kindString {
		return isError
	}
	switch c.op {
	case opPrefix:
		return truthOf(len(v.text) >= len(c.text) && string(v.text[:len(c.text)]) == c.text)
	case opSuffix:
		return truthOf(len(v.text) >= len(c.text) && string(v.text[len(v.text)-len(c.text):]) == c.text)
	case opMatches:
		if len(v.text) > maxMatch {
			return askCEL
		}
		m.doc.work += 2 * workPerCost * uint64(len(v.text)) // as in CEL: see priceOf
		return truthOf(c.pattern.Match(v.text))
	default:
		m.doc.work += uint64(len(v.text))
		return truthOf(bytes.Contains(v.text, []byte(c.text)))
	}
}

// maxMatch is the longest text that is matched without CEL, in bytes.
const maxMatch = 1 << 12

// integer reads a JSON number that is a 64-bit integer without point or exponent.
func integer(text []byte) (int64, bool) {
	if len(text) > 20 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	return n, err == nil
}
