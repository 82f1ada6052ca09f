package providers

import (
	"strings"
	"testing"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"pgregory.net/rapid"
)

// eager is the event with all of it converted, which is what the lazy conversion is held to.
type eager struct{ *activation }

func (e eager) ResolveName(name string) (any, bool) {
	switch {
	case name == "body":
		return e.convert(0), true
	case name == "data" && e.data != noNode:
		return e.convert(e.data), true
	}
	return e.activation.ResolveName(name)
}

func (e eager) convert(n int) ref.Val {
	d := &e.doc
	k := &d.nodes[n]
	switch {
	case (*Mapper)(e.activation).hides(n) || k.kind != kindArray && k.kind != kindObject:
		return e.activation.convert(n)
	case k.kind == kindArray:
		list := []ref.Val{}
		for i := n + 1; i < int(k.next); i = int(d.nodes[i].next) {
			list = append(list, e.convert(i))
		}
		return types.NewRefValList(types.DefaultTypeAdapter, list)
	}
	members, names := map[ref.Val]ref.Val{}, []ref.Val{}
	for i := n + 1; i < int(k.next); i = int(d.nodes[i+1].next) {
		if d.nodes[i+1].kind != kindNull {
			name := types.String(d.nameText(&d.nodes[i]))
			members[name] = e.convert(i + 1)
			names = append(names, name)
		}
	}
	return &eagerObject{types.NewRefValMap(types.DefaultTypeAdapter, members), names}
}

type eagerObject struct {
	traits.Mapper
	names []ref.Val
}

func (o *eagerObject) Iterator() traits.Iterator {
	return types.NewRefValList(types.DefaultTypeAdapter, o.names).Iterator()
}

// TestConversionIsTheSame: CEL gives the same answer, or the same error, whether
// a body is converted as a whole or as far as CEL goes, once and again.
func TestConversionIsTheSame(t *testing.T) {
	answers := 0
	rapid.Check(t, func(t *rapid.T) {
		p, q := drawPath(t), drawPath(t)
		source := rapid.SampledFrom([]string{
			p, p + " == " + q, p + " != " + q, p + " in " + q, `"a" in ` + p, "1 in " + p, "size(" + p + ") + size(" + q + ")",
			p + `.map(x, x)`, p + `.filter(x, ` + q + ` == x)`, p + `.exists(x, x == "a")`, p + `.all(x, ` + p + `[x] == ` + q + ")",
			p + `.map(x, ` + q + `[x])`, p + `.exists_one(x, ` + q + `.a == ` + p + `)`, `[` + p + `, ` + q + `] == [` + q + `, ` + p + `]`,
			p + `.map(x, string(x)).join(",")`, p + ` + ` + q, `type(` + p + `) == map`, `{"k": ` + p + `} == {"k": ` + q + `}`, "has(" + p + ".a.b)",
			p + `[` + q + `]`, `{"a": 1} == ` + p, `dyn(` + p + `).map(x, x).size()`, "string(" + p + ")", p + `.map(x, ` + p + `.size())`,
		}).Draw(t, "shape")
		e := compileOne(t, source, false)
		if e == nil {
			return
		}
		m := &Mapper{def: &Definition{mapping: &mapping{headers: []string{"h", "none"}}}}
		for range 6 {
			body := drawJSON(t, 4)
			prepare(t, m, body)
			hideOne(t, m)
			for _, m.use = range []use{forCondition, forValue, forValue, forCondition} {
				want, _, wantErr := e.program.Eval(eager{(*activation)(m)})
				got, _, err := e.program.Eval((*activation)(m))
				if (err == nil) != (wantErr == nil) || err != nil && err.Error() != strings.ReplaceAll(wantErr.Error(), "eagerObject", "object") {
					t.Fatalf("%s on %s: %v, and converted as a whole %v", source, body, err, wantErr)
				}
				if err != nil {
					continue
				}
				answers++
				if got.Type() != want.Type() || types.Equal(got, want) != types.True && types.Equal(want, want) == types.True {
					t.Fatalf("%s on %s: %v, and converted as a whole %v", source, body, got, want)
				}
			}
		}
	})
	if answers < 100 {
		t.Fatalf("only %d answers", answers)
	}
}
