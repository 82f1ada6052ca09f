package providers

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// checkScanner compares the scanner with jsontext on one text: the same
// verdict, and with it the same tokens.
func checkScanner(t *testing.T, text []byte) {
	t.Helper()
	var d document
	err := d.index(text)
	plain := bytes.TrimPrefix(text, []byte("\xEF\xBB\xBF"))
	if valid := jsontext.Value(plain).IsValid(); valid != (err == nil) {
		t.Fatalf("jsontext finds valid=%v, the scanner says %v, for %q", valid, err, text)
	}
	if err != nil {
		if len(d.nodes) != 0 {
			t.Fatalf("the document is not empty after %v", err)
		}
		return
	}
	dec := jsontext.NewDecoder(bytes.NewReader(plain))
	next := checkNode(t, &d, dec, 0)
	if next != len(d.nodes) {
		t.Fatalf("%d nodes, %d read, for %q", len(d.nodes), next, text)
	}
}

// checkNode compares node n and its descendants with the decoder's tokens and returns the next sibling.
func checkNode(t *testing.T, d *document, dec *jsontext.Decoder, n int) int {
	t.Helper()
	tok, err := dec.ReadToken()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[jsontext.Kind]kind{'n': kindNull, 't': kindBool, 'f': kindBool, '"': kindString, '0': kindNumber, '{': kindObject, '[': kindArray}
	if want := kinds[tok.Kind()]; d.kindOf(n) != want {
		t.Fatalf("node %d is %v, want %v", n, d.kindOf(n), want)
	}
	next := n + 1
	switch d.kindOf(n) {
	case kindString:
		got, _ := d.string(n, nil)
		if string(got) != tok.String() {
			t.Fatalf("node %d is %q, want %q", n, got, tok.String())
		}
	case kindNumber:
		if string(d.raw(n)) != tok.String() {
			t.Fatalf("node %d is %s, want %s", n, d.raw(n), tok.String())
		}
	case kindObject, kindArray:
		for k := dec.PeekKind(); k != '}' && k != ']'; k = dec.PeekKind() {
			next = checkNode(t, d, dec, next)
		}
		if _, err := dec.ReadToken(); err != nil {
			t.Fatal(err)
		}
	}
	if int(d.nodes[n].next) != next {
		t.Fatalf("node %d has next %d, want %d", n, d.nodes[n].next, next)
	}
	return next
}

func scannerSeeds() []string {
	names := make([]string, 200)
	for i := range names {
		names[i] = `"k` + strings.Repeat("x", i) + `":` + "1"
	}
	many := "{" + strings.Join(names, ",") + "}"
	return []string{
		body600, `{}`, `[]`, ` [ ] `, `{"a":[1,2,{"b":null}],"c":true,"d":false}`, `"x"`, `-0.5e+10`, `null`, "\xEF\xBB\xBF{}",
		``, ` `, `{`, `[`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `[1,]`, `[1 2]`, `{"a" 1}`, `{a:1}`, `{"a":1}}`, `{} {}`, `]`, `}`, `[}`, `{]`,
		`01`, `-`, `-a`, `1.`, `.5`, `1e`, `1e+`, `+1`, `1e400`, `9007199254740993`, `123456789012345678901234567890`, `NaN`, `Infinity`, `tru`, `nul`, `truex`,
		`"`, `"\"`, `"\x"`, `"\u12"`, `"\u00e9\n\/"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ud83dx"`, `"\ude00"`, `"\ud83d\u0041"`, `"\ud83d\ue000"`, `"\ud83d\uffff"`, `"\udbff\udfff"`, "\"\x00\"", "\"\t\"", "\"\x7f\"",
		"\"\xff\"", "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"", "\"\xed\xa0\x80\"", "\"abcdefgh\xc3\"", "\"\xc0\x80\"",
		`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"":1,"":2}`, `{"a":{"a":1},"b":{"a":1}}`, `{"connection_id":1,"connection_ie":2,"connection_id":3}`,
		many, many[:len(many)-1] + `,"kxx":2}`, many[:len(many)-1] + `,"k` + strings.Repeat("x", 199) + `":2}`, many[:len(many)-1] + `,"\u006b":2}`,
		"\v{}", "{}\x00", "{\"a\":1\f}", `{"a":1 , "b" : 2 }`, "[1,\r\n2]",
		strings.Repeat("[", 50) + strings.Repeat("]", 50),
	}
}

func TestScannerAgreesWithJSONText(t *testing.T) {
	for _, s := range scannerSeeds() {
		checkScanner(t, []byte(s))
	}
	for _, depth := range []int{9_999, 10_000, 10_001, 20_000} {
		checkScanner(t, []byte(strings.Repeat("[", depth)+strings.Repeat("]", depth)))
		checkScanner(t, []byte(strings.Repeat(`{"a":`, depth)+"1"+strings.Repeat("}", depth)))
	}
	// Every one-byte change and every prefix of a real body.
	for i := range body600 {
		checkScanner(t, []byte(body600[:i]))
		for _, c := range []byte("\"\\{}[],:0 \x00\x1f\xe9") {
			b := []byte(body600)
			b[i] = c
			checkScanner(t, b)
		}
	}
}

// TestScannerReused maps bodies of every size through one document, as a Mapper does.
func TestScannerReused(t *testing.T) {
	var d document
	big := []byte("[" + strings.Repeat("0,", 200_000) + "0]")
	for _, text := range [][]byte{[]byte(body600), big, []byte(`{"a":`), []byte(body600)} {
		err := d.index(text)
		if jsontext.Value(text).IsValid() != (err == nil) {
			t.Fatal(err)
		}
	}
	if got := string(d.raw(d.member(0, "connection_id"))); got != `"conn_7f3a9c21b4"` {
		t.Fatal(got)
	}
	if cap(d.nodes) > keepNodes {
		t.Fatalf("keeps %d nodes of a big body", cap(d.nodes))
	}
}

func FuzzScanner(f *testing.F) {
	for _, s := range scannerSeeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) { checkScanner(t, text) })
}

const body600 = `{"id":"evt_01HZX3R8Q2M4N6P8S0T2V4W6Y8","event_type":"sync.completed","timestamp":"2026-03-14T09:26:53.589Z","connection_id":"conn_7f3a9c21b4","organization_id":"org_51c2","data":{"status":"success","sync_id":"sync_20260314_0926","started_at":"2026-03-14T09:24:11.102Z","finished_at":"2026-03-14T09:26:53.417Z","entities":[{"name":"work_orders","created":12,"updated":147,"deleted":0},{"name":"assets","created":3,"updated":58,"deleted":1},{"name":"purchase_orders","created":0,"updated":9,"deleted":0}],"duration_ms":162315,"trigger":"schedule"},"api_version":"2025-11-01","attempt":1,"environment":"production"}`

func BenchmarkScan(b *testing.B) {
	body := []byte(body600)
	var d document
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.index(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScanJSONText(b *testing.B) {
	body := jsontext.Value(body600)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if !body.IsValid() {
			b.Fatal("invalid")
		}
	}
}
