package providers

import (
	"fmt"
	"strings"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"go.yaml.in/yaml/v4"
)

// This file refuses definitions whose mapping would show a field that it marks
// sensitive, as far as the expressions say so themselves. What they compute (a
// name put together, a list gone through) is masked when an event is mapped.
// Conditions may read what is sensitive: they decide, and show nothing of it.

var (
	// shownKeys are the expressions of a mapping whose values are shown to people.
	shownKeys     = []string{"id", "type", "connection", "occurred_at", "sequence"}
	shownRuleKeys = []string{"reason", "code", "message", "request_id", "expires_at"}
	// unhashable are those that no hash can stand in for.
	unhashable = map[string]bool{"type": true, "occurred_at": true, "sequence": true, "expires_at": true}
)

// checkHidden refuses expressions that read hidden fields where that cannot work.
func (d *Definition) checkHidden(f fields) error {
	if !d.hidden.any() {
		return nil
	}
	c := newCompiler(f.r)
	m := fieldsOf(f.values["mapping"])
	for _, key := range shownKeys {
		if err := d.checkShown(c, m[key], key, "mapping."+key); err != nil {
			return err
		}
	}
	for i, n := range listOf(m["rules"]) {
		rule := fieldsOf(n)
		for _, key := range shownRuleKeys {
			if err := d.checkShown(c, rule[key], key, fmt.Sprintf("mapping.rules[%d].%s", i, key)); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkShown looks at the expressions of one key.
func (d *Definition) checkShown(c *compiler, n *yaml.Node, key, where string) error {
	for _, n := range listOf(n) {
		n = resolve(n)
		source := strings.TrimSpace(n.Value)
		env, err := c.env(variables)
		if err != nil {
			return err
		}
		ast, issues := env.Parse(source)
		if issues != nil && issues.Err() != nil {
			return nil // told by who compiles it
		}
		var found error
		d.reads(ast.NativeRep().Expr(), func(e celast.Expr, name string, p fieldPath) {
			if found != nil {
				return
			}
			place := ast.NativeRep().SourceInfo().GetStartLocation(variableOf(e).ID())
			at := c.r.spotWithin(n, source, place.Line(), place.Column())
			switch {
			case within(p, d.hidden.sensitive):
				found = c.r.errorf(at, "%s: the expression `%s` reads %s, which is sensitive and must not be shown; only conditions (when) may read it", where, source, name)
			case unhashable[key] && within(p, d.hidden.redact):
				found = c.r.errorf(at, "%s: the expression `%s` reads %s, which is redacted: once stored it is a hash, and no %s", where, source, name, key)
			}
		})
		if found != nil {
			return found
		}
	}
	return nil
}

// within reports whether p is at one of the places or below.
func within(p fieldPath, list []fieldPath) bool {
	for _, q := range list {
		if len(q) > len(p) {
			continue
		}
		same := true
		for i := range q {
			same = same && (q[i] == p[i] || q[i].each || p[i].each)
		}
		if same {
			return true
		}
	}
	return false
}

// reads calls fn for each field that the expression names in full, with the
// places in the body that it stands for. To test with has() whether a field is there is not to read it.
func (d *Definition) reads(e celast.Expr, fn func(e celast.Expr, name string, p fieldPath)) {
	if root, p, ok := fieldOf(e); ok {
		switch root {
		case "body":
			fn(e, p.String(), p)
		case "data":
			for _, data := range d.mapping.data {
				at := fieldPath{}
				for _, name := range data.names {
					at = append(at, step{name: name})
				}
				fn(e, "data"+strings.TrimPrefix(p.String(), "body"), append(at, p...))
			}
		}
		return
	}
	switch e.Kind() {
	case celast.SelectKind:
		// has(a.b) asks a alone, and so reads what is hidden only where a is.
		d.reads(e.AsSelect().Operand(), fn)
	case celast.CallKind:
		call := e.AsCall()
		if call.IsMemberFunction() {
			d.reads(call.Target(), fn)
		}
		for _, a := range call.Args() {
			d.reads(a, fn)
		}
	case celast.ListKind:
		for _, el := range e.AsList().Elements() {
			d.reads(el, fn)
		}
	case celast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			d.reads(entry.AsMapEntry().Key(), fn)
			d.reads(entry.AsMapEntry().Value(), fn)
		}
	case celast.ComprehensionKind:
		x := e.AsComprehension()
		for _, part := range []celast.Expr{x.IterRange(), x.AccuInit(), x.LoopCondition(), x.LoopStep(), x.Result()} {
			d.reads(part, fn)
		}
	}
}

// fieldOf reads a variable and the names that follow it. An element of a list
// that is named by its number counts as any element.
func fieldOf(e celast.Expr) (root string, p fieldPath, ok bool) {
	switch e.Kind() {
	case celast.IdentKind:
		return e.AsIdent(), fieldPath{}, true
	case celast.SelectKind:
		s := e.AsSelect()
		if s.IsTestOnly() {
			return "", nil, false
		}
		root, p, ok = fieldOf(s.Operand())
		return root, append(p, step{name: s.FieldName()}), ok
	case celast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != operators.Index || len(call.Args()) != 2 {
			return "", nil, false
		}
		next := step{each: true}
		if name, isText := stringLiteral(call.Args()[1]); isText {
			next = step{name: name}
		} else if at := call.Args()[1]; at.Kind() != celast.LiteralKind || at.AsLiteral().Type() != types.IntType {
			return "", nil, false
		}
		root, p, ok = fieldOf(call.Args()[0])
		return root, append(p, next), ok
	}
	return "", nil, false
}

// variableOf returns the variable that a field begins with: CEL places a selection at its dot.
func variableOf(e celast.Expr) celast.Expr {
	for {
		switch e.Kind() {
		case celast.SelectKind:
			e = e.AsSelect().Operand()
		case celast.CallKind:
			e = e.AsCall().Args()[0]
		default:
			return e
		}
	}
}

// fieldsOf returns the values of a YAML mapping by key.
func fieldsOf(n *yaml.Node) map[string]*yaml.Node {
	out := map[string]*yaml.Node{}
	if n == nil {
		return out
	}
	if n = resolve(n); n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			out[n.Content[i].Value] = n.Content[i+1]
		}
	}
	return out
}

// listOf returns the values of a YAML sequence, or the one that stands alone.
func listOf(n *yaml.Node) []*yaml.Node {
	if n == nil {
		return nil
	}
	if s := resolve(n); s.Kind == yaml.SequenceNode {
		return s.Content
	}
	return []*yaml.Node{n}
}
