package providers

import (
	"bytes"
	"unicode/utf8"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// part is what the term makes of a text.
func (t *term) part(m *Mapper, v value) (value, bool) {
	if v.kind != kindString || len(v.text) > maxJoined {
		return value{}, false
	}
	m.doc.work += uint64(len(v.text))
	switch t.op {
	case termLower:
		from := len(m.scratch)
		for _, c := range v.text {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			m.scratch = append(m.scratch, c)
		}
		v.text = m.scratch[from:len(m.scratch):len(m.scratch)]
	case termTrim:
		v.text = bytes.TrimSpace(v.text)
	case termPiece:
		for range t.index {
			_, rest, more := bytes.Cut(v.text, t.fixed.text)
			if !more {
				return value{}, true // no such piece
			}
			v.text = rest
		}
		v.text, _, _ = bytes.Cut(v.text, t.fixed.text)
	case termRest:
		at := bytes.LastIndex(v.text, t.fixed.text)
		if at < 0 {
			return value{}, false // CEL counts from -1
		}
		v.text = v.text[at+len(t.fixed.text):]
	}
	return v, true
}

// pieceTerm reads text.split("literal")[index].
func pieceTerm(args []celast.Expr) *term {
	if len(args) != 2 || args[0].Kind() != celast.CallKind || args[1].Kind() != celast.LiteralKind {
		return nil
	}
	split := args[0].AsCall()
	index, ok := args[1].AsLiteral().(types.Int)
	if !ok || index < 0 || index > maxExpression || split.FunctionName() != "split" || !split.IsMemberFunction() || len(split.Args()) != 1 {
		return nil
	}
	at, ok := stringLiteral(split.Args()[0])
	if !ok || at == "" {
		return nil
	}
	return cutAt(conversion(termPiece, split.Target()), at, int(index))
}

// restTerm reads path.substring(path.lastIndexOf("literal") + length of the literal).
func restTerm(text celast.Expr, from celast.Expr) *term {
	if from.Kind() != celast.CallKind || from.AsCall().FunctionName() != operators.Add {
		return nil
	}
	sum := from.AsCall().Args()
	if len(sum) != 2 || sum[0].Kind() != celast.CallKind || sum[1].Kind() != celast.LiteralKind {
		return nil
	}
	search := sum[0].AsCall()
	if search.FunctionName() != "lastIndexOf" || !search.IsMemberFunction() || len(search.Args()) != 1 {
		return nil
	}
	at, ok := stringLiteral(search.Args()[0])
	p, plain := pathOf(text)
	same, plainToo := pathOf(search.Target())
	if !ok || at == "" || !plain || !plainToo || !p.equals(same) || sum[1].AsLiteral() != types.Int(utf8.RuneCountInString(at)) {
		return nil
	}
	return cutAt(conversion(termRest, text), at, 0)
}

func cutAt(t *term, at string, index int) *term {
	if t != nil {
		t.fixed, t.index = value{kind: kindString, text: []byte(at)}, index
	}
	return t
}
