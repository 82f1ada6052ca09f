package providers

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// dearBody has a long text, a long list and many names, 1 MiB in all.
func dearBody() []byte {
	var names strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&names, `,"k%06d":%d`, i, i)
	}
	return []byte(`{"t":"t","c":"c","text":"` + strings.Repeat("ab", 200_000) + `","escaped":"\n` + strings.Repeat("ab", 100_000) +
		`","page":"` + strings.Repeat("ab", 2_000) + `","list":[` + strings.TrimSuffix(strings.Repeat("1,", 50_000), ",") + `]` + names.String() + `}`)
}

// mapsWithin maps a body and fails where that takes longer than 30 s or 256 MiB: uncounted, the worst take hours or all memory.
func mapsWithin(t *testing.T, what string, d *Definition, body []byte) error {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	_, err := d.NewMapper().Map(body, func(string) string { return "" })
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	// Counted, the work is tens of milliseconds; the limit here leaves room for a busy machine and the race detector.
	if took > 30*time.Second || after.TotalAlloc-before.TotalAlloc > 256<<20 {
		t.Errorf("%s: took %v and %d MiB", what, took, (after.TotalAlloc-before.TotalAlloc)>>20)
	}
	return err
}

func stopped(t *testing.T, what string, err error, in string) {
	t.Helper()
	var u *Unplaceable
	if !errors.As(err, &u) || u.Code != CodeExpression || !strings.Contains(u.Detail, "cost limit exceeded") || !strings.HasPrefix(u.Detail, in+":") {
		t.Errorf("%s: %v, want it stopped in %s", what, err, in)
	}
}

// TestDearExpressions: an expression that costs too much is stopped wherever it
// stands, in time and before it takes the memory, and its event is quarantined.
func TestDearExpressions(t *testing.T) {
	body := dearBody()
	dear := map[string]string{
		"iterating":            "body.list.exists(x, x == 2)",
		"iterating in itself":  "body.list.all(x, body.list.all(y, x + y > 0))",
		"replacing by itself":  "body.text.replace('a', body.text) == ''",
		"replacing nothing":    "body.text.replace('', body.text) == ''",
		"growing":              "body.c.replace('c', 'cccccccccc')" + strings.Repeat(".replace('c', 'cccccccccc')", 20) + " == ''",
		"searching":            "body.text.indexOf(body.text + 'c') > 0",
		"searching backwards":  "body.text.lastIndexOf(body.text) > 0",
		"joining":              "body.list.map(x, 'a').join(body.text) == ''",
		"splitting":            "body.text.split('').size() > 1",
		"a regular expression": "body.text.matches('(a|b)*c')",
		"one that is computed": "body.text.matches(body.c + '*')",
		"a list":               "body.c in (" + strings.TrimSuffix(strings.Repeat("body.list + ", 40), " + ") + ")",
		"equality":             "[body, body, body, body] == [body, body, body, body]",
		"inequality":           "body != body",
		"equality, nested":     "body.list.map(x, [body]) == body.list.map(x, [body])",
		"adding texts":         "(body.text" + strings.Repeat(" + body.text", 40) + ").size() == 1",
	}
	for what, e := range dear {
		condition := mapped(t, "type: body.t\nconnection: body.c\nrules:\n  - name: a\n    when: \""+e+"\"\n    set: {}")
		stopped(t, what, mapsWithin(t, what, condition, body), "mapping.rules[0].when")
		id := mapped(t, "type: body.t\nconnection: body.c\nid: \"("+e+") ? 'a' : 'b'\"")
		stopped(t, what+" as an id", mapsWithin(t, what, id, body), "mapping.id")
		if err := mapsWithin(t, what, condition, []byte(`{"t":"t","c":"c","text":"ab","list":[1]}`)); err != nil && what != "growing" {
			t.Errorf("%s: on a small body: %v", what, err)
		}
	}
	if _, err := Parse("x", []byte(minimal+"  id: \"body.a.matches('(a{100}){100}') ? 'a' : 'b'\"\n")); err == nil || !strings.Contains(err.Error(), "x:6:7: mapping.id") {
		t.Errorf("a regular expression with a program of thousands: %v", err)
	}
}

// TestDearEvents: many expressions, each of which may be, are stopped together,
// those that CEL evaluates and those that are evaluated on the index.
func TestDearEvents(t *testing.T) {
	body := dearBody()
	rules := func(when string) *Definition {
		var b strings.Builder
		for i := range 100 {
			fmt.Fprintf(&b, "  - {name: r%d, when: \"%s\", set: {}}\n", i, when)
		}
		return mapped(t, "type: body.t\nconnection: body.c\nrules:\n"+b.String())
	}
	for what, when := range map[string]string{
		"CEL":           "body.list.filter(x, x == 2).size() == 1 || body.list[0] + 1 == 7",
		"CEL, cheaper":  "(body.text + 'a').size() == 7",
		"names":         strings.TrimSuffix(strings.Repeat("body.nothing == 'a' || ", 50), " || "),
		"presence":      strings.TrimSuffix(strings.Repeat("has(body.nothing) || ", 50), " || "),
		"matching":      strings.TrimSuffix(strings.Repeat("body.page.matches('a+c') || ", 50), " || "),
		"text in texts": strings.TrimSuffix(strings.Repeat("body.text.contains('c') || ", 50), " || "),
	} {
		d := rules(when)
		var u *Unplaceable
		if err := mapsWithin(t, what, d, body); !errors.As(err, &u) || u.Code != CodeExpression || !strings.Contains(u.Detail, "cost limit") || !strings.Contains(u.Detail, "mapping.rules[") {
			t.Errorf("%s: %v", what, err)
		}
		if what != "CEL" {
			if err := mapsWithin(t, what, d, []byte(`{"t":"t","c":"c","text":"ab","page":"ab","list":[1]}`)); err != nil {
				t.Errorf("%s: on a small body: %v", what, err)
			}
		}
	}
	// A text is decoded once for an event: that costs too little to be stopped.
	const what = "decoding"
	if err := mapsWithin(t, what, rules(strings.TrimSuffix(strings.Repeat("body.escaped == 'a' || ", 50), " || ")), body); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// TestCostIsOfOneEvent: what one event cost is not held against the next, and
// an event is stopped at the same place every time.
func TestCostIsOfOneEvent(t *testing.T) {
	d := mapped(t, "type: body.t\nconnection: body.c\nid: \"body.l.map(x, string(x)).join('-')\"")
	m := d.NewMapper()
	fine := []byte(`{"t":"t","c":"c","l":[` + strings.TrimSuffix(strings.Repeat("1,", 2_000), ",") + `]}`)
	if _, err := m.Map(fine, nil); err == nil || !strings.Contains(err.Error(), "more than 1024") {
		t.Fatal(err)
	}
	if m.cost < 10_000 {
		t.Fatalf("it cost %d: too little to show anything", m.cost)
	}
	first := m.cost
	for range 50 {
		if _, err := m.Map(fine, nil); err == nil || !strings.Contains(err.Error(), "more than 1024") || m.cost != first {
			t.Fatalf("the same event costs %d, then %d: %v", first, m.cost, err)
		}
	}
	dear := dearBody()
	stopper := mapped(t, "type: body.t\nconnection: body.c\nrules: [{name: a, when: \"body.list.exists(x, x == 2)\", set: {}}]").NewMapper()
	_, was := stopper.Map(dear, nil)
	for range 3 {
		if _, err := stopper.Map(dear, nil); err == nil || err.Error() != was.Error() {
			t.Errorf("stopped at %v, then at %v", was, err)
		}
	}
}

// TestOrdinaryEventsAreFarFromTheLimit: the fixtures of what is built in cost less
// than a hundredth of what an event may.
func TestOrdinaryEventsAreFarFromTheLimit(t *testing.T) {
	for _, body := range []string{body600, failed600, unknown600} {
		m := makini(t).NewMapper()
		if _, err := m.Map([]byte(body), nil); err != nil {
			t.Fatal(err)
		}
		if cost := m.cost + m.doc.work/workPerCost; cost > eventCostLimit/100 {
			t.Errorf("%.40s… costs %d", body, cost)
		}
	}
}
