package providers

import (
	"bytes"
	"strconv"
)

// This file is the one pass over a body. It validates strict JSON (RFC 8259
// as RFC 7493 restricts it: valid UTF-8, no lone surrogate, no name twice in an
// object) and writes the index in the same pass. It accepts exactly what
// jsontext accepts, and FuzzScanner holds it to that. It exists for speed: with
// the index it takes three quarters of what jsontext's validation alone takes,
// and reading a body is most of what a rebuild does for an event.

// frame is an array or object that is open.
type frame struct {
	node  int                 // its node
	names int                 // where its names begin in document.names
	big   map[string]struct{} // the names of an object that has more than smallObject of them
}

// index reads the text. After an error the document is empty.
func (d *document) index(text []byte) error {
	if cap(d.nodes) > keepNodes {
		*d = document{}
	}
	d.text, d.nodes, d.stack, d.names, d.work = text, d.nodes[:0], d.stack[:0], d.names[:0], 0
	if len(text) >= maxBody {
		return &syntaxError{0, "the body is too long"}
	}
	return d.scan(text)
}

// scan is a state machine and not a recursion, so that depth costs 40 bytes a
// level. The labels are its states: value, member and closing say what must
// stand at i, after what may.
func (d *document) scan(b []byte) error {
	var (
		i        = 0
		nodes    = d.nodes[:cap(d.nodes)]
		n        = 0     // how many of nodes are written
		inObject = false // whether the innermost open frame is an object
		end      int
		escaped  bool
		err      error
	)
	if bytes.HasPrefix(b, []byte("\xEF\xBB\xBF")) { // a byte order mark says nothing and is let through
		i = 3
	}

value:
	if n+2 > len(nodes) { // room for this value and for a name after it
		nodes = append(nodes, make([]node, max(64, len(nodes)))...)
		nodes = nodes[:cap(nodes)]
	}
	if i < len(b) && b[i] <= ' ' {
		i = skipSpace(b, i)
	}
	if i >= len(b) {
		return unexpected(b, i, "a value")
	}
	switch c := b[i]; c {
	case '"':
		if end, escaped = skipPlain(b, i+1), false; end < len(b) && b[end] == '"' {
			end++
		} else if end, escaped, err = scanString(b, i, end); err != nil {
			return err
		}
		nodes[n].set(kindString, i, end, n+1, escaped)
		n++
		i = end
	case '{', '[':
		if len(d.stack) == maxDepth {
			return &syntaxError{i, "nested deeper than " + strconv.Itoa(maxDepth)}
		}
		d.stack = append(d.stack, frame{node: n, names: len(d.names)})
		inObject = c == '{'
		if inObject {
			nodes[n].set(kindObject, i, i, 0, false)
		} else {
			nodes[n].set(kindArray, i, i, 0, false)
		}
		n++
		if i++; i < len(b) && b[i] <= ' ' {
			i = skipSpace(b, i)
		}
		if i < len(b) && b[i] == c+2 { // ']' and '}' are two after '[' and '{'
			goto closing
		}
		if inObject {
			goto member
		}
		goto value
	case 't', 'f', 'n':
		word, k := "true", kindBool
		if c == 'f' {
			word = "false"
		} else if c == 'n' {
			word, k = "null", kindNull
		}
		if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
			return unexpected(b, i, "a value")
		}
		nodes[n].set(k, i, i+len(word), n+1, false)
		n++
		i += len(word)
	default:
		if end, err = scanNumber(b, i); err != nil {
			return err
		}
		nodes[n].set(kindNumber, i, end, n+1, false)
		n++
		i = end
	}

after:
	if i < len(b) && b[i] <= ' ' {
		i = skipSpace(b, i)
	}
	if len(d.stack) == 0 {
		if i < len(b) {
			return &syntaxError{i, "data after the value"}
		}
		d.nodes = nodes[:n]
		return nil
	}
	if i >= len(b) {
		return unexpected(b, i, "',' or a closing bracket")
	}
	if b[i] == ',' {
		if i++; !inObject {
			goto value
		}
		if i < len(b) && b[i] <= ' ' {
			i = skipSpace(b, i)
		}
		goto member
	}
	if inObject && b[i] != '}' || !inObject && b[i] != ']' {
		return unexpected(b, i, "',' or a closing bracket")
	}

closing:
	{
		i++
		last := len(d.stack) - 1
		top := &d.stack[last]
		nodes[top.node].end, nodes[top.node].next = uint32(i), uint32(n)
		d.names = d.names[:top.names]
		top.big = nil
		d.stack = d.stack[:last]
		if last > 0 {
			inObject = nodes[d.stack[last-1].node].kind == kindObject
		}
		goto after
	}

member:
	if n+2 > len(nodes) {
		nodes = append(nodes, make([]node, len(nodes))...)
		nodes = nodes[:cap(nodes)]
	}
	if i >= len(b) || b[i] != '"' {
		return unexpected(b, i, "a name in quotes")
	}
	if end, escaped = skipPlain(b, i+1), false; end < len(b) && b[end] == '"' {
		end++
	} else if end, escaped, err = scanString(b, i, end); err != nil {
		return err
	}
	nodes[n].set(kindString, i, end, n+1, escaped)
	n++
	if d.repeated(nodes[:n]) {
		return &syntaxError{i, "the name " + cut(string(b[i:end]), 80) + " twice in one object"}
	}
	if i = end; i < len(b) && b[i] <= ' ' {
		i = skipSpace(b, i)
	}
	if i >= len(b) || b[i] != ':' {
		return unexpected(b, i, "':'")
	}
	i++
	goto value
}

// unexpected says what stands at i in the place of what was wanted.
func unexpected(b []byte, i int, wanted string) error {
	if i >= len(b) {
		return &syntaxError{len(b), "the body ends where " + wanted + " should be"}
	}
	return &syntaxError{i, strconv.QuoteToASCII(string(b[i:i+1])) + " where " + wanted + " should be"}
}
