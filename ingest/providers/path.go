package providers

import (
	"slices"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// root is the variable that a path begins with.
type root uint8

const (
	rootNone root = iota
	rootBody
	rootData
	rootHeaders
	rootType
)

// path is a variable and the steps that follow it: names of members, or indices of elements.
type path struct {
	root  root
	names []string // "" for an index
	index []int    // beside names: the index, or byName; nil where all steps are names
}

// byName is the index of a step that is a name.
const byName = -1

// pathOf reads a path.
func pathOf(e celast.Expr) (path, bool) {
	switch e.Kind() {
	case celast.IdentKind:
		r := map[string]root{"body": rootBody, "data": rootData, "headers": rootHeaders, "type": rootType}[e.AsIdent()]
		return path{root: r}, r != rootNone
	case celast.SelectKind:
		s := e.AsSelect()
		if s.IsTestOnly() {
			return path{}, false
		}
		return testedPath(s)
	case celast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != operators.Index || len(call.Args()) != 2 || call.Args()[1].Kind() != celast.LiteralKind {
			return path{}, false
		}
		p, ok := pathOf(call.Args()[0])
		if !ok {
			return path{}, false
		}
		switch step := call.Args()[1].AsLiteral().(type) {
		case types.String:
			return p.then(string(step)), true
		case types.Int:
			return p.element(int(step)), step >= 0
		}
	}
	return path{}, false
}

// testedPath reads the path of a selection, also of one that only tests presence.
func testedPath(s celast.SelectExpr) (path, bool) {
	p, ok := pathOf(s.Operand())
	return p.then(s.FieldName()), ok
}

// then is the path to a member of what p leads to.
func (p path) then(name string) path {
	next := path{root: p.root, names: append(p.names[:len(p.names):len(p.names)], name)}
	if p.index != nil {
		next.index = append(p.index[:len(p.index):len(p.index)], byName)
	}
	return next
}

// element is the path to an element of what p leads to.
func (p path) element(i int) path {
	next := path{root: p.root, names: append(p.names[:len(p.names):len(p.names)], "")}
	for range len(p.names) - len(p.index) {
		next.index = append(next.index, byName)
	}
	next.index = append(append(next.index, p.index...), i)
	return next
}

// parent is the path without its last step.
func (p path) parent() path {
	last := len(p.names) - 1
	p.names = p.names[:last]
	if p.index != nil {
		p.index = p.index[:last]
	}
	return p
}

// equals reports whether both are the same path.
func (p path) equals(q path) bool {
	return p.root == q.root && slices.Equal(p.names, q.names) && slices.Equal(p.index, q.index)
}

// isField reports whether the path names one value of the event and not the
// whole of the body, the data or the headers.
func (p path) isField() bool { return p.root == rootType || len(p.names) > 0 }

func stringLiteral(e celast.Expr) (string, bool) {
	if e.Kind() != celast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}

// node resolves a path within the body. ok is false for data as a whole where
// there is none, which CEL sees as an empty object.
func (m *Mapper) node(p path) (n int, ok bool) {
	if p.root == rootData {
		n = m.data
		if n == noNode && len(p.names) == 0 {
			return noNode, false
		}
	}
	for i := range p.names {
		if n = m.doc.step(n, p, i); n == noNode {
			break
		}
	}
	return n, true
}

// step goes from node n to where step i of the path leads.
func (d *document) step(n int, p path, i int) int {
	if p.index != nil && p.index[i] != byName {
		return d.element(n, p.index[i])
	}
	return d.member(n, p.names[i])
}

// throughHidden reports whether the path leads to or through what is not shown.
// CEL sees a text there, and what lies within is not to be had.
func (m *Mapper) throughHidden(p path) bool {
	return len(m.hidden) > 0 && m.use == forValue && m.passes(p, m.hides)
}

// throughLong reports whether the path leads to or into a number that CEL may refuse to touch: see celNumber.
func (m *Mapper) throughLong(p path) bool {
	return m.use == forValue && m.passes(p, func(n int) bool {
		if m.doc.nodes[n].kind != kindNumber {
			return false
		}
		_, ok := integer(m.doc.raw(n))
		return !ok
	})
}

// passes reports whether the path leads to or through a node like that.
func (m *Mapper) passes(p path, like func(n int) bool) bool {
	if p.root != rootBody && p.root != rootData {
		return false
	}
	n := 0
	if p.root == rootData {
		n = m.data
	}
	for i := 0; n != noNode; i++ {
		if like(n) {
			return true
		}
		if i == len(p.names) {
			break
		}
		n = m.doc.step(n, p, i)
	}
	return false
}
