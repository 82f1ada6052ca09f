package providers

import (
	"fmt"
	"unicode/utf8"
)

// kind is the kind of a JSON value, or of its absence.
type kind uint8

const (
	kindAbsent kind = iota
	kindNull
	kindBool
	kindNumber
	kindString
	kindArray
	kindObject
)

var kindNames = [...]string{"absent", "null", "a boolean", "a number", "a string", "an array", "an object"}

func (k kind) String() string { return kindNames[k] }

const (
	// maxDepth is the deepest nesting that is read, as in encoding/json and jsontext.
	maxDepth = 10_000
	// maxBody is the longest body that is read: offsets are 32 bits.
	maxBody = 1 << 31
	// keepNodes bounds the index memory that a document keeps between bodies.
	keepNodes = 1 << 16
	// noNode is the node of what is absent.
	noNode = -1
)

// node is one JSON value, or one object name, in document order.
type node struct {
	start, end uint32 // its text; a string's includes the quotes
	next       uint32 // the index after its last descendant: the next sibling
	kind       kind
	escaped    bool // a string with a backslash in it
}

// set writes the fields one by one. A struct put together elsewhere and copied
// is read back before its parts have reached the cache: a third of the pass.
func (n *node) set(k kind, start, end, next int, escaped bool) {
	n.start, n.end, n.next, n.kind, n.escaped = uint32(start), uint32(end), uint32(next), k, escaped
}

// document is an index over the bytes of one JSON text. An object's children
// are name, value, name, value; an array's are its elements. Nothing is decoded
// until it is asked for. The index is valid as long as the bytes do not change.
type document struct {
	text  []byte
	nodes []node
	stack []frame
	names []name
	work  uint64 // names compared, elements passed and bytes decoded since the text was indexed
}

// syntaxError says where a body stops being strict JSON.
type syntaxError struct {
	offset int
	what   string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("at byte %d: %s", e.offset, e.what) }

// kindOf returns the kind of node n.
func (d *document) kindOf(n int) kind {
	if n < 0 {
		return kindAbsent
	}
	return d.nodes[n].kind
}

// raw returns the text of node n, quotes included.
func (d *document) raw(n int) []byte { return d.text[d.nodes[n].start:d.nodes[n].end] }

// member returns the value of the object n under a name, noNode where n is no
// object or has no such member. A null member is no member: null and absent are the same.
func (d *document) member(n int, want string) int {
	if n < 0 || d.nodes[n].kind != kindObject {
		return noNode
	}
	end := int(d.nodes[n].next)
	for i := n + 1; i < end; i = int(d.nodes[i+1].next) {
		d.work++
		if d.nameIs(&d.nodes[i], want) {
			if d.nodes[i+1].kind == kindNull {
				return noNode
			}
			return i + 1
		}
	}
	return noNode
}

// element returns element i of the array n, noNode where n is no array or has no such element.
func (d *document) element(n, i int) int {
	if n < 0 || d.nodes[n].kind != kindArray {
		return noNode
	}
	end := int(d.nodes[n].next)
	for n++; n < end; n = int(d.nodes[n].next) {
		d.work++
		if i == 0 {
			return n
		}
		i--
	}
	return noNode
}

// nameIs reports whether the name at k is want.
func (d *document) nameIs(k *node, want string) bool {
	if k.escaped {
		d.work += uint64(k.end - k.start)
		return string(d.appendString(nil, k)) == want
	}
	return int(k.end-k.start) == len(want)+2 && string(d.text[k.start+1:k.end-1]) == want
}

// string returns the decoded text of the string at n: a part of the body
// where nothing is escaped, else appended to scratch. Returns scratch as it is then.
func (d *document) string(n int, scratch []byte) (text, grown []byte) {
	k := &d.nodes[n]
	if !k.escaped {
		return d.text[k.start+1 : k.end-1], scratch
	}
	d.work += uint64(k.end - k.start)
	from := len(scratch)
	scratch = d.appendString(scratch, k)
	return scratch[from:len(scratch):len(scratch)], scratch
}

// appendString appends the decoded text of a validated string.
func (d *document) appendString(dst []byte, k *node) []byte {
	s := d.text[k.start+1 : k.end-1]
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			dst = append(dst, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hex4(s[i+1:])
			i += 4
			if r >= 0xD800 && r < 0xDC00 {
				r = 0x10000 + (r-0xD800)<<10 + (hex4(s[i+3:]) - 0xDC00)
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
		default: // '"', '\\', '/'
			dst = append(dst, s[i])
		}
	}
	return dst
}
