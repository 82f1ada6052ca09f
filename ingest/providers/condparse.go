package providers

import (
	"regexp"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// condOf reads the condition of an expression, nil where it is of another shape.
func condOf(e celast.Expr) *cond {
	if p, ok := pathOf(e); ok && p.root != rootHeaders && p.root != rootType && len(p.names) > 0 {
		return &cond{op: opField, path: p}
	}
	if e.Kind() == celast.SelectKind && e.AsSelect().IsTestOnly() {
		if p, ok := testedPath(e.AsSelect()); ok {
			return &cond{op: opHas, path: p}
		}
		return nil
	}
	if e.Kind() != celast.CallKind {
		return nil
	}
	call := e.AsCall()
	args := call.Args()
	switch name := call.FunctionName(); name {
	case operators.LogicalAnd, operators.LogicalOr:
		left, right := condOf(args[0]), condOf(args[1])
		if len(args) != 2 || left == nil || right == nil {
			return nil
		}
		op := opAnd
		if name == operators.LogicalOr {
			op = opOr
		}
		return &cond{op: op, left: left, right: right}
	case operators.LogicalNot:
		return not(condOf(args[0]))
	case operators.Equals:
		return comparison(args, opEqualText, opEqualInt)
	case operators.NotEquals:
		return not(comparison(args, opEqualText, opEqualInt))
	case operators.Less:
		return comparison(args, opNot, opLessInt)
	case operators.Greater:
		return comparison(args, opNot, opGreaterInt)
	case operators.In:
		return inList(args)
	case "startsWith", "endsWith", "contains", "matches":
		ops := map[string]condOp{"startsWith": opPrefix, "endsWith": opSuffix, "contains": opContains, "matches": opMatches}
		if !call.IsMemberFunction() || len(args) != 1 {
			return nil
		}
		p, ok := pathOf(call.Target())
		text, isText := stringLiteral(args[0])
		if !ok || !isText || !p.isField() {
			return nil
		}
		c := &cond{op: ops[name], path: p, text: text}
		if c.op == opMatches {
			pattern, err := regexp.Compile(text)
			if err != nil {
				return nil
			}
			c.pattern = pattern
		}
		return c
	}
	return nil
}

func not(c *cond) *cond {
	if c == nil {
		return nil
	}
	return &cond{op: opNot, left: c}
}

// comparison reads path against a text or an integer; text is opNot where texts are not compared here.
func comparison(args []celast.Expr, text, number condOp) *cond {
	if len(args) != 2 || args[1].Kind() != celast.LiteralKind {
		return nil
	}
	p, ok := pathOf(args[0])
	if !ok || !p.isField() {
		return nil
	}
	switch v := args[1].AsLiteral().(type) {
	case types.String:
		if text == opNot {
			return nil
		}
		return &cond{op: text, path: p, text: string(v)}
	case types.Bool:
		if text == opNot {
			return nil
		}
		return &cond{op: opEqualBool, path: p, number: boolNumber(bool(v))}
	case types.Int:
		return &cond{op: number, path: p, number: int64(v)}
	}
	return nil
}

func boolNumber(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// inList reads path in ["a", "b"].
func inList(args []celast.Expr) *cond {
	if len(args) != 2 || args[1].Kind() != celast.ListKind {
		return nil
	}
	p, ok := pathOf(args[0])
	if !ok || !p.isField() || args[1].AsList().Size() == 0 { // CEL takes an empty list for false, also of what is absent
		return nil
	}
	c := &cond{op: opIn, path: p}
	for _, e := range args[1].AsList().Elements() {
		text, ok := stringLiteral(e)
		if !ok {
			return nil
		}
		c.texts = append(c.texts, text)
	}
	return c
}
