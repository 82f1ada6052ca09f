package providers

import (
	"testing"

	"pgregory.net/rapid"
)

// drawTerm draws an expression for a value of the shapes that need no CEL.
func drawTerm(t *rapid.T, depth int) string {
	if depth == 0 || rapid.IntRange(0, 3).Draw(t, "leaf") == 0 {
		if rapid.Bool().Draw(t, "literal") {
			return rapid.SampledFrom([]string{`"lit"`, `""`, `"É"`, "7", "-7", "true", `"a" + "b"`}).Draw(t, "literal text")
		}
		return drawPath(t)
	}
	part := func() string { return drawTerm(t, depth-1) }
	switch rapid.IntRange(0, 11).Draw(t, "term") {
	case 8:
		return "(" + part() + ").trim()"
	case 9:
		return "(" + part() + ").split(" + rapid.SampledFrom([]string{`"/"`, `"a"`, `"\""`}).Draw(t, "at") + ")[" + rapid.SampledFrom([]string{"0", "1", "2"}).Draw(t, "piece") + "]"
	case 10:
		p := drawPath(t)
		return p + ".substring(" + p + `.lastIndexOf(` + rapid.SampledFrom([]string{`"é") + 1`, `"o") + 1`, `"a") + 1`, `"a") + 2`}).Draw(t, "after") + ")"
	case 0, 1:
		return "(" + drawCondition(t, 1) + " ? " + part() + " : " + part() + ")"
	case 2:
		return part() + " + (" + part() + ")"
	case 3:
		return "(" + part() + ").lowerAscii()"
	case 4:
		return "string(" + drawPath(t) + ")"
	default:
		return part() + ` + "/" + string(` + drawPath(t) + `)`
	}
}

// hideOne hides at random a value of the document that m has read.
func hideOne(t *rapid.T, m *Mapper) {
	m.hidden = m.hidden[:0]
	for _, name := range rapid.SampledFrom([][]string{nil, nil, {"a"}, {"data"}, {"data", "a"}, {"b"}}).Draw(t, "hidden") {
		n := 0
		if len(m.hidden) > 0 {
			n, m.hidden = m.hidden[0], m.hidden[:0]
		}
		if n = m.doc.member(n, name); n == noNode {
			return
		}
		m.hidden = append(m.hidden, n)
	}
}

// agree holds a term to CEL's answer on the event that m has read; decided is whether it gave one.
func agree(t rapid.TB, e *expr, m *Mapper) (got value, decided bool) {
	m.use = forValue
	got, decided = e.term.value(m)
	if !decided {
		return got, false
	}
	want := value{}
	out, _, err := e.program.Eval((*activation)(m))
	if err == nil {
		var ok bool
		if want, ok = fromCEL(out); !ok {
			t.Fatalf("%s on %s: CEL has lost the digits of %v", e.source, m.doc.text, out)
		}
	} else if absent, _ := missing(err); !absent {
		t.Fatalf("%s on %s, hidden %v: %v %q without CEL, %v", e.source, m.doc.text, m.hidden, got.kind, got.text, err)
	}
	if got.kind != want.kind || string(got.text) != string(want.text) {
		t.Fatalf("%s on %s, hidden %v: %v %q without CEL, %v %q by CEL (%v)", e.source, m.doc.text, m.hidden, got.kind, got.text, want.kind, want.text, err)
	}
	return got, true
}

func TestTermsAgreeWithCEL(t *testing.T) {
	decided, some := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		source := drawTerm(t, 3)
		e := compileOne(t, source, false)
		if e == nil || e.term == nil {
			return
		}
		m := &Mapper{def: &Definition{mapping: &mapping{headers: []string{"h", "none"}}}}
		for range 8 {
			prepare(t, m, drawJSON(t, 3))
			hideOne(t, m)
			got, ok := agree(t, e, m)
			if ok {
				decided++
			}
			if got.kind != kindAbsent {
				some++
			}
		}
	})
	if decided < 100 || some < 50 {
		t.Fatalf("only %d were evaluated without CEL, %d of them to something", decided, some)
	}
}

// TestTermsInCorners has what random documents seldom meet.
func TestTermsInCorners(t *testing.T) {
	const long = "123456789012345678901234567890"
	for _, c := range []struct {
		source, body string
		decided      bool
	}{
		{`"a" + body.secret`, `{"secret":"x"}`, false}, // hidden is body.secret
		{`"a" + body.secret.x`, `{"secret":{"x":"y"}}`, false},
		{`"a" + body.secret.x`, `{"secret":{}}`, false},
		{`body.secret.x == "y" ? "a" : "b"`, `{"secret":{"x":"y"}}`, false},
		{`has(body.secret.x) ? "a" : "b"`, `{"secret":{"x":"y"}}`, false},
		{`"a" + body.open`, `{"secret":{"x":"y"},"open":"z"}`, true},
		{`body.n == "a" ? "a" : "b"`, `{"n":` + long + `}`, false}, // CEL refuses to touch it
		{`"a" + body.n.x`, `{"n":` + long + `}`, false},
		{`has(body.n.x.y) ? "a" : "b"`, `{"n":` + long + `}`, false},
		{`true == body.n ? "a" : "b"`, `{"n":1}`, false},
		{`body.n ? "a" : "b"`, `{"n":1}`, false}, // an error, and no absence
		{`body.n ? "a" : "b"`, `{}`, true},
		{`body.n.contains("x") || body.m ? "a" : "b"`, `{"n":1}`, false},
		{`body.m || body.n.contains("x") ? "a" : "b"`, `{"n":1}`, true},
		{`body.a + body.b`, `{"a":1,"b":2}`, false},
		{`body.a + body.b`, `{"b":2}`, true},
		{`string(body.n)`, `{"n":-0}`, true},
		{`string(body.n)`, `{"n":1.50}`, false},
		{`string(body.n)`, `{"n":18446744073709551615}`, false},
		{`string(body.n)`, `{"n":null}`, true},
		{`string(body.n)`, `{"n":true}`, true},
		{`string(body["n"])`, `{"n":1}`, false},
		{`body.l[1].x`, `{"l":[null,{"x":"y"}]}`, true},
		{`body.l[0].x`, `{"l":[null,{"x":"y"}]}`, true},
		{`"a" + body.l[0]`, `{"l":[null]}`, false},
		{`body.l[0]`, `{"l":[null]}`, true},
		{`body.l[0]`, `{"l":{"0":"x"}}`, true},
		{`has(body.t) ? body.t : ""`, `{"t":"a\nb"}`, true},
		{`body.t.substring(body.t.lastIndexOf("é: ") + 3).split("\n")[0].trim()`, `{"t":"é: x\né: y \nz"}`, true},
		{`body.t.substring(body.t.lastIndexOf("é: ") + 4)`, `{"t":"é: x"}`, false},
		{`body.t.substring(body.t.lastIndexOf("é: ") + 3)`, `{"t":"e: xyz"}`, false},
		{`body.t.split("a")[2]`, `{"t":"bab"}`, true},
		{`body.t.split("a")[1]`, `{"t":"ba"}`, true},
		{`body.t.split("")[1]`, `{"t":"ba"}`, false},
		{`body.t.split("a")[0]`, `{"t":1}`, false},
		{`headers["h"] + "/" + type + "/" + headers.none`, `{}`, true},
	} {
		e := compileOne(t, c.source, false)
		m := &Mapper{def: &Definition{mapping: &mapping{headers: []string{"h", "none"}}}}
		prepare(t, m, c.body)
		if n := m.doc.member(0, "secret"); n != noNode {
			m.hidden = []int{n}
		}
		decided := false
		if e.term != nil {
			_, decided = agree(t, e, m)
		}
		if decided != c.decided {
			t.Errorf("%s on %s: decided without CEL: %v", c.source, c.body, decided)
		}
	}
}

// TestTermsLeaveToCEL: what would take long is stopped by CEL's limit, as before.
func TestTermsLeaveToCEL(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		long := `{"a":"` + string(alphabet(rapid.IntRange(maxJoined-3, maxJoined+3).Draw(t, "length"))) + `"}`
		m := &Mapper{def: &Definition{mapping: &mapping{}}}
		prepare(t, m, long)
		fits := len(long)-len(`{"a":""}`) <= maxJoined
		for _, source := range []string{`"" + body.a`, `body.a.lowerAscii()`} {
			if _, ok := compileOne(t, source, false).term.value(m); ok != fits {
				t.Fatalf("%s of %d bytes: %v", source, len(long), ok)
			}
		}
		if got := compileOne(t, `body.a.matches("^(a|aa)+b$")`, true).cond.eval(m); got != askCEL {
			t.Fatalf("a long match: %v", got)
		}
	})
}

func alphabet(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(i%26)
	}
	return b
}
