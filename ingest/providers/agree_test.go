package providers

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"cel.dev/cel-go/common/types"
	"go.yaml.in/yaml/v4"
	"pgregory.net/rapid"
)

// The fast path decides conditions and resolves paths without CEL. This file
// holds it to CEL's answer, on expressions and bodies drawn at random.

// drawPath draws a path of the shapes that the fast path takes.
func drawPath(t *rapid.T) string {
	p := rapid.SampledFrom([]string{"body", "data", "body.data", "body.a", "data.a", `body["b"]`, "type", `headers["h"]`, "headers.none"}).Draw(t, "root")
	if strings.HasPrefix(p, "headers") || p == "type" {
		return p
	}
	for range rapid.IntRange(0, 2).Draw(t, "names") {
		p += rapid.SampledFrom([]string{".a", ".b", `["a"]`, `["c d"]`, ".list", ".missing", "[0]", "[1]", "[2]"}).Draw(t, "name")
	}
	return p
}

// drawCondition draws a condition, mostly of the shapes that the fast path takes.
func drawCondition(t *rapid.T, depth int) string {
	if depth > 0 && rapid.Bool().Draw(t, "compound") {
		left, right := drawCondition(t, depth-1), drawCondition(t, depth-1)
		switch rapid.IntRange(0, 2).Draw(t, "operator") {
		case 0:
			return "(" + left + " && " + right + ")"
		case 1:
			return "(" + left + " || " + right + ")"
		default:
			return "!(" + left + ")"
		}
	}
	p := drawPath(t)
	text := rapid.SampledFrom([]string{`"a"`, `"é"`, `""`, `"ok"`, `"1"`, `'x"y'`}).Draw(t, "text")
	number := rapid.SampledFrom([]string{"0", "1", "-1", "9007199254740993", "9223372036854775807"}).Draw(t, "number")
	shapes := []string{
		p + " == " + text, p + " != " + text, p + " == " + number, p + " != " + number, p + " < " + number, p + " > " + number,
		p + " == true", p + " != false", p + " in [" + text + `, "b"]`, p + " in []",
		p + ".startsWith(" + text + ")", p + ".endsWith(" + text + ")", p + ".contains(" + text + ")", p + `.matches("^(\\[[^\\]]*\\] )?[ao]k?$")`,
		p, "has(" + p + ")", "size(" + p + ") > 1", p + " >= " + number, text + " == " + p,
	}
	return rapid.SampledFrom(shapes).Draw(t, "shape")
}

// drawJSON draws a JSON value of the names that the paths use.
func drawJSON(t *rapid.T, depth int) string {
	scalars := []string{`"a"`, `"ok"`, `"é"`, `"\u00e9"`, `""`, `"1"`, `"x\"y"`, "0", "1", "-0", "1.0", "1e0", "0.5", "-1", "9007199254740993", "9223372036854775807",
		"9223372036854775808", "18446744073709551616", "1e400", "true", "false", "null"}
	if depth == 0 || rapid.IntRange(0, 2).Draw(t, "scalar") == 0 {
		return rapid.SampledFrom(scalars).Draw(t, "value")
	}
	if rapid.IntRange(0, 4).Draw(t, "array") == 0 {
		return "[" + drawJSON(t, depth-1) + "," + drawJSON(t, depth-1) + "]"
	}
	var members []string
	for _, name := range []string{"a", "b", `c d`, "data", "list", `\u0061b`} {
		if rapid.Bool().Draw(t, "present") {
			members = append(members, `"`+name+`":`+drawJSON(t, depth-1))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// prepare makes m read the body, as Map does before it evaluates anything.
func prepare(t rapid.TB, m *Mapper, body string) {
	if err := m.doc.index([]byte(body)); err != nil {
		t.Fatal(err)
	}
	m.header = func(name string) string {
		if name == "h" {
			return "ok"
		}
		return ""
	}
	m.typ, m.scratch, m.decoded = []byte("a"), m.scratch[:0], m.decoded[:0]
	m.converted.forget()
	m.data = m.doc.member(0, "data")
}

// compileOne compiles an expression, nil where CEL's type checker refuses it.
func compileOne(t rapid.TB, source string, condition bool) *expr {
	c := newCompiler(&reader{top: &layer{name: "test"}})
	e, err := c.compile(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: source, Line: 1}, "test", variables, condition)
	if err != nil {
		if strings.Contains(err.Error(), "is wrong") || strings.Contains(err.Error(), "one by one") || strings.Contains(err.Error(), "not a boolean") {
			return nil
		}
		t.Fatal(err)
	}
	return e
}

func TestConditionsAgreeWithCEL(t *testing.T) {
	fast, slow := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		source := drawCondition(t, 2)
		e := compileOne(t, source, true)
		if e == nil || e.cond == nil {
			return
		}
		m := &Mapper{def: &Definition{mapping: &mapping{headers: []string{"h", "none"}}}}
		for range 8 {
			body := drawJSON(t, 3)
			prepare(t, m, body)
			got := e.cond.eval(m)
			if got == askCEL {
				slow++
				continue
			}
			fast++
			want := isError
			m.use = forCondition
			out, _, err := e.program.Eval((*activation)(m))
			if err == nil {
				b, ok := out.(types.Bool)
				if ok {
					want = truthOf(bool(b))
				}
			} else if absent, mismatch := missing(err); !absent && !mismatch {
				t.Fatalf("%s on %s: %v", source, body, err)
			} else if absent {
				want = isAbsent
			}
			if got != want {
				t.Fatalf("%s on %s: %v by the fast path, %v by CEL (%v, %v)", source, body, got, want, out, err)
			}
		}
	})
	if fast < 100 {
		t.Fatalf("only %d of %d were decided by the fast path", fast, fast+slow)
	}
}

func TestPathsAgreeWithCEL(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source := drawPath(t)
		e := compileOne(t, source, false)
		if e == nil {
			return
		}
		if e.path.root == rootNone { // it has an index
			if e.term == nil || e.term.op != termPath {
				t.Fatalf("%s is no path", source)
			}
			return
		}
		m := &Mapper{def: &Definition{mapping: &mapping{headers: []string{"h", "none"}}}}
		for range 8 {
			body := drawJSON(t, 3)
			prepare(t, m, body)
			got, ok := m.value(e.path)
			if !ok {
				continue
			}
			m.use = forValue
			out, _, err := e.program.Eval((*activation)(m))
			want := value{}
			if err == nil {
				want, _ = fromCEL(out)
			} else if absent, _ := missing(err); !absent {
				if strings.Contains(err.Error(), "64 bits") {
					continue // the path keeps the digits that CEL cannot
				}
				t.Fatalf("%s on %s: %v", source, body, err)
			}
			if why := differ(got, want, out); why != nil {
				t.Fatalf("%s on %s: %v", source, body, why)
			}
		}
	})
}

// differ compares what the two ways give. Numbers may be spelled differently, and CEL has one kind for arrays and objects here.
func differ(got, want value, out any) error {
	switch got.kind {
	case kindNumber:
		if _, isDouble := out.(types.Double); isDouble {
			return nil
		}
		if n, ok := integer(got.text); ok && want.kind == kindNumber && fmt.Sprint(n) == string(want.text) {
			return nil
		}
		if want.kind == kindNumber && string(got.text) == string(want.text) {
			return nil
		}
	case kindArray, kindObject:
		if want.kind == kindObject {
			return nil
		}
	case kindNull:
		if want.kind == kindAbsent {
			return nil
		}
	default:
		if got.kind == want.kind && string(got.text) == string(want.text) {
			return nil
		}
	}
	return errors.New(got.kind.String() + " " + string(got.text) + " by the fast path, " + want.kind.String() + " " + string(want.text) + " by CEL")
}
