package providers

import (
	"strconv"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// termOf reads an expression for a value, nil where it is of another shape.
func termOf(e celast.Expr) *term {
	if p, ok := pathOf(e); ok {
		return &term{op: termPath, path: p}
	}
	switch e.Kind() {
	case celast.LiteralKind:
		switch v := e.AsLiteral().(type) {
		case types.String:
			return &term{op: termLiteral, fixed: value{kind: kindString, text: []byte(v)}}
		case types.Int:
			return &term{op: termLiteral, fixed: value{kind: kindNumber, text: strconv.AppendInt(nil, int64(v), 10)}}
		case types.Bool:
			return &term{op: termLiteral, fixed: value{kind: kindBool, text: strconv.AppendBool(nil, bool(v))}}
		}
	case celast.CallKind:
		return callTerm(e.AsCall())
	}
	return nil
}

func callTerm(call celast.CallExpr) *term {
	args := call.Args()
	switch name := call.FunctionName(); {
	case name == operators.Conditional && len(args) == 3:
		t := &term{op: termChoice, when: condOf(args[0]), parts: termsOf(args[1:])}
		if t.when == nil || t.parts == nil {
			return nil
		}
		return t
	case name == operators.Add && len(args) == 2:
		parts := termsOf(args)
		if parts == nil {
			return nil
		}
		t := &term{op: termJoin}
		for _, part := range parts { // a + b + c is (a + b) + c, and one text
			if part.op == termJoin {
				t.parts = append(t.parts, part.parts...)
			} else {
				t.parts = append(t.parts, part)
			}
		}
		return t
	// CEL takes string(body["id"]) for the string of an integer and fails; string(body.id) is as it looks.
	case name == "string" && !call.IsMemberFunction() && len(args) == 1 && args[0].Kind() == celast.SelectKind:
		return conversion(termString, args[0])
	case name == operators.Index:
		return pieceTerm(args)
	case name == "substring" && call.IsMemberFunction() && len(args) == 1:
		return restTerm(call.Target(), args[0])
	case name == "trim" && call.IsMemberFunction() && len(args) == 0:
		return conversion(termTrim, call.Target())
	case name == "lowerAscii" && call.IsMemberFunction() && len(args) == 0:
		return conversion(termLower, call.Target())
	}
	return nil
}

// conversion reads what an operation makes of another value.
func conversion(op termOp, of celast.Expr) *term {
	part := termOf(of)
	if part == nil {
		return nil
	}
	return &term{op: op, parts: []*term{part}}
}

// termsOf reads several expressions, nil where one is of another shape.
func termsOf(list []celast.Expr) []*term {
	var all []*term
	for _, e := range list {
		t := termOf(e)
		if t == nil {
			return nil
		}
		all = append(all, t)
	}
	return all
}
