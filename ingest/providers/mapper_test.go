package providers

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// mapped parses a definition with the given mapping part.
func mapped(t testing.TB, mapping string) *Definition {
	t.Helper()
	d, err := Parse("test.yaml", []byte("name: test\nsignature: {scheme: none}\nmapping:\n"+indent(mapping)))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func makini(t testing.TB) *Definition {
	t.Helper()
	d, err := Load("makini")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestBadBodies has what no mapping can read, and the code and words under which it is quarantined.
func TestBadBodies(t *testing.T) {
	const rest = `"id":"e","event_type":"sync.started","timestamp":"2026-03-14T09:26:53Z"`
	deep := func(n int) string {
		return `{"connection_id":"c",` + rest + `,"data":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}"
	}
	cases := []struct{ name, body, code, detail string }{
		{"empty", "", CodeNotJSON, "the body ends where a value should be"},
		{"text", "hello", CodeNotJSON, `"h" where a value`},
		{"form", "payload=%7B%7D", CodeNotJSON, "strict JSON"},
		{"UTF-16", "\xff\xfe{\x00}\x00", CodeNotJSON, "at byte 0"},
		{"bad UTF-8", `{"connection_id":"` + "\xff" + `"}`, CodeNotJSON, "invalid UTF-8"},
		{"lone surrogate", `{"connection_id":"\ud800"}`, CodeNotJSON, "half a surrogate pair"},
		{"duplicate key", `{"connection_id":"a","connection_id":"b",` + rest + `}`, CodeNotJSON, `"connection_id" twice`},
		{"duplicate key, escaped", `{"connection_id":"a","connection\u005fid":"b",` + rest + `}`, CodeNotJSON, "twice in one object"},
		{"duplicate key, deep", `{"connection_id":"a",` + rest + `,"data":{"a":{"b":1,"b":1}}}`, CodeNotJSON, "twice"},
		{"trailing data", `{"connection_id":"a",` + rest + `}{}`, CodeNotJSON, "data after the value"},
		{"trailing comma", `{"connection_id":"a",` + rest + `,}`, CodeNotJSON, "a name in quotes"},
		{"cut", `{"connection_id":"a",` + rest, CodeNotJSON, "the body ends"},
		{"NaN", `{"connection_id":NaN}`, CodeNotJSON, "a value"},
		{"too deep", deep(10_000), CodeNotJSON, "nested deeper than 10000"},
		{"NUL", "{\x00}", CodeNotJSON, `"\x00" where`},
		{"array", `[1,2]`, CodeNoType, "no event type in body.event_type, body.type, body.event"},
		{"no type", `{"connection_id":"c"}`, CodeNoType, "no event type"},
		{"type is null", `{"connection_id":"c","event_type":null}`, CodeNoType, "no event type"},
		{"type is empty", `{"connection_id":"c","event_type":""}`, CodeNoType, "no event type"},
		{"type is an object", `{"connection_id":"c","event_type":{"a":1}}`, CodeNoType, "no event type"},
		{"type too long", `{"connection_id":"c","event_type":"` + strings.Repeat("t", 257) + `"}`, CodeBadType, "257 bytes"},
		{"no connection", `{` + rest + `}`, CodeNoConnection, "body.connection_id, body.connectionId"},
		{"connection is null", `{"connection_id":null,` + rest + `}`, CodeNoConnection, ""},
		{"connection is empty", `{"connection_id":"",` + rest + `}`, CodeNoConnection, ""},
		{"connection is a boolean", `{"connection_id":true,` + rest + `}`, CodeNoConnection, ""},
		{"connection of 20 kB", `{"connection_id":"` + strings.Repeat("é", 10_000) + `",` + rest + `}`, CodeBadConnection, "20000 bytes"},
		{"id of 20 kB", `{"connection_id":"c","event_type":"t","id":"` + strings.Repeat("x", 20_000) + `"}`, CodeBadID, "20000 bytes"},
		{"zone-less time", `{"connection_id":"c","event_type":"t","timestamp":"2026-03-14T09:26:53"}`, CodeBadTime, "mapping.time_zone"},
		{"time in words", `{"connection_id":"c","event_type":"t","timestamp":"now"}`, CodeBadTime, `"now"`},
		{"time is a boolean", `{"connection_id":"c","event_type":"t","timestamp":false}`, CodeBadTime, "a boolean"},
		{"time of 1 MB", `{"connection_id":"c","event_type":"t","timestamp":"` + strings.Repeat("9", 1<<20) + `"}`, CodeBadTime, "too large"},
		{"time 1e400", `{"connection_id":"c","event_type":"t","timestamp":1e400}`, CodeBadTime, "1e400"},
		{"a name of 1 MB twice", `{"` + strings.Repeat("k", 1<<20) + `":1,"` + strings.Repeat("k", 1<<20) + `":1}`, CodeNotJSON, "twice"},
	}
	m := makini(t).NewMapper()
	for _, c := range cases {
		o, err := m.Map([]byte(c.body), nil)
		var u *Unplaceable
		if !errors.As(err, &u) {
			t.Errorf("%s: %+v, %v", c.name, o, err)
			continue
		}
		if u.Code != c.code || !strings.Contains(u.Detail, c.detail) || len(u.Detail) > maxUnplaceableDetail || !utf8.ValidString(u.Detail) || o != (Observation{}) {
			t.Errorf("%s: %v, want %s: …%s…", c.name, err, c.code, c.detail)
		}
	}
	if _, err := m.Map([]byte(deep(9_999)), nil); err != nil {
		t.Errorf("10,000 deep: %v", err)
	}
	if _, err := m.Map([]byte("\xEF\xBB\xBF"+deep(1)), nil); err != nil {
		t.Errorf("with a byte order mark: %v", err)
	}
}

// TestOddIdentifiers: any text is an id, and a number is its digits.
func TestOddIdentifiers(t *testing.T) {
	m := makini(t).NewMapper()
	for literal, want := range map[string]string{
		`"a*b"`: "a*b", `">"`: ">", `"a.b.>"`: "a.b.>", `"\u0000"`: "\x00", `"a\r\nNats-Msg-Id: x"`: "a\r\nNats-Msg-Id: x",
		`" "`: " ", `"\ud83d\ude00"`: "😀", `"é"`: "é", `"\\"`: `\`, `"../../etc/passwd"`: "../../etc/passwd",
		`9007199254740993`: "9007199254740993", `123456789012345678901234567890`: "123456789012345678901234567890",
		`-9223372036854775809`: "-9223372036854775809", `1.0`: "1.0", `1e3`: "1e3", `0`: "0", `-0`: "-0", `0.1000000000000000055511151231257827`: "0.1000000000000000055511151231257827",
		`"` + strings.Repeat("é", 512) + `"`: strings.Repeat("é", 512),
	} {
		body := `{"connection_id":` + literal + `,"id":` + literal + `,"event_type":"x.y"}`
		o, err := m.Map([]byte(body), nil)
		if err != nil || o.Connection != want || o.DeliveryID != want {
			t.Errorf("%s: connection %q, id %q, %v", literal, o.Connection, o.DeliveryID, err)
		}
		o, err = m.Map([]byte(`{"connection_id":"c","event_type":`+literal+`}`), nil)
		if len(want) <= MaxType && (err != nil || o.Type != want) {
			t.Errorf("type %s: %q, %v", literal, o.Type, err)
		}
	}
}

// TestStringsAreOwn: an observation does not change with the body or the next Map.
func TestStringsAreOwn(t *testing.T) {
	m := makini(t).NewMapper()
	body := []byte(`{"id":"evt_1","event_type":"some.flow","connection_id":"conn_1"}`)
	first, err := m.Map(body, nil)
	if err != nil {
		t.Fatal(err)
	}
	failed := []byte(`{"id":"evt_2","event_type":"sync.failed","connection_id":"c\u006fnn_2","data":{"error":{"code":"C\n","message":"M","request_id":7}}}`)
	second, err := m.Map(failed, nil)
	if err != nil {
		t.Fatal(err)
	}
	clear(body)
	clear(failed)
	if _, err := m.Map([]byte(body600), nil); err != nil {
		t.Fatal(err)
	}
	want := Observation{Connection: "conn_1", Type: "some.flow", DeliveryID: "evt_1"}
	if first != want {
		t.Errorf("%+v", first)
	}
	want = Observation{Connection: "conn_2", Type: "sync.failed", DeliveryID: "evt_2", Rule: "sync failed",
		Detail: Detail{Code: "C\n", Message: "M", RequestID: "7"}}
	want.Sets[Sync] = SyncFailed
	if second != want {
		t.Errorf("%+v", second)
	}
}

func TestDetailsAreCut(t *testing.T) {
	m := makini(t).NewMapper()
	o, err := m.Map([]byte(`{"event_type":"sync.failed","connection_id":"c","data":{"error":{"message":"a`+strings.Repeat("é", 5000)+`"}}}`), nil)
	if err != nil || len(o.Detail.Message) != MaxDetail-1 || !utf8.ValidString(o.Detail.Message) {
		t.Fatalf("%d bytes, %v", len(o.Detail.Message), err)
	}
}

func TestMappingFeatures(t *testing.T) {
	d := mapped(t, `
id: ['headers["x-id"]', body.meta.id]
type: [body.kind, 'body.domain + "." + body.name']
occurred_at: [body.at, 'timestamp(body.made)']
sequence: body.seq
connection: ['body.account.lowerAscii()', body.number]
data: [body.data, body]
time_unit: s
time_zone: "+01:00"
rules:
  - {name: broad off, type_prefix: [a., b.], when: data.off, set: {sync: running}}
  - {name: exact, type: [a.one, c], set: {sync: failed}, reason: ['data.list[1]', data.why], expires_at: data.until}
  - {name: prefix, type_prefix: a., set: {lifecycle: paused}, reason: type, code: data.ok, message: 'headers["x-id"]'}
  - {name: any, when: data.n > 3 && data.n < 10 && data.s.startsWith("x"), set: {error: open}}
  - {name: divide, type: d, when: 10 / data.zero > 1, set: {error: open}}
  - {name: bomb, type: e, when: 'data.l.all(a, data.l.all(b, data.l.all(c, data.l.all(d, true))))', set: {error: open}}
`)
	m := d.NewMapper()
	none := func(string) string { return "" }
	one := func(name string) string {
		if name != "x-id" {
			t.Errorf("asked for the header %q", name)
		}
		return "h1"
	}
	bad := func(string) string { return "\xff" }
	zeros := "[" + strings.Repeat("0,", 99) + "0]"
	at := func(s string) time.Time {
		parsed, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	sets := func(f Facet, v Value) (s [NumFacets]Value) {
		s[f] = v
		return s
	}
	cases := []struct {
		name, body string
		header     func(string) string
		want       Observation
		code       string
	}{
		{"header id and exact rule", `{"kind":"a.one","account":"ACME","at":10.5,"seq":-5,"data":{"list":["x","y"],"until":"2030-01-01T00:00:00"}}`, one,
			Observation{Connection: "acme", Type: "a.one", DeliveryID: "h1", OccurredAt: at("1970-01-01T00:00:10.5Z"), Sequence: -5, HasSequence: true,
				Rule: "exact", Sets: sets(Sync, SyncFailed), Detail: Detail{Reason: "y", ExpiresAt: at("2029-12-31T23:00:00Z")}}, ""},
		{"computed type, no header", `{"domain":"a","name":"two","account":"x","meta":{"id":5},"made":"2026-01-01T00:00:00Z","seq":"12","data":{"ok":true}}`, none,
			Observation{Connection: "x", Type: "a.two", DeliveryID: "5", OccurredAt: at("2026-01-01T00:00:00Z"), Sequence: 12, HasSequence: true,
				Rule: "prefix", Sets: sets(Lifecycle, LifecyclePaused), Detail: Detail{Reason: "a.two", Code: "true"}}, ""},
		{"boolean field", `{"kind":"a.one","account":"x","data":{"off":true}}`, none,
			Observation{Connection: "x", Type: "a.one", Rule: "broad off", Sets: sets(Sync, SyncRunning)}, ""},
		{"boolean that is none", `{"kind":"b.x","account":"x","data":{"off":"true"}}`, none, Observation{Connection: "x", Type: "b.x"}, ""},
		{"rule for any type, data is the body", `{"kind":"z","number":77,"n":4,"s":"xy"}`, none,
			Observation{Connection: "77", Type: "z", Rule: "any", Sets: sets(Error, ErrorOpen)}, ""},
		{"unreadable expiry", `{"kind":"c","account":"x","data":{"until":"soon"}}`, none,
			Observation{Connection: "x", Type: "c", Rule: "exact", Sets: sets(Sync, SyncFailed)}, ""},
		{"no rule", `{"kind":"z","account":"x","n":3,"s":"xy"}`, none, Observation{Connection: "x", Type: "z"}, ""},
		{"mismatch in when", `{"kind":"z","account":"x","n":"4","s":"xy"}`, none, Observation{Connection: "x", Type: "z"}, ""},
		{"a mistake is not an absence", `{"kind":"d","account":"x","data":{"zero":0}}`, none, Observation{}, CodeExpression},
		{"bomb", `{"kind":"e","account":"x","data":{"l":` + zeros + `}}`, none, Observation{}, CodeExpression},
		{"wrong operand", `{"kind":"z","account":5}`, none, Observation{}, CodeExpression},
		{"header not UTF-8", `{"kind":"z","account":"x"}`, bad, Observation{}, CodeExpression},
		{"sequence with decimals", `{"kind":"z","account":"x","seq":1.5}`, none, Observation{}, CodeBadSequence},
		{"sequence too large", `{"kind":"z","account":"x","seq":9223372036854775808}`, none, Observation{}, CodeBadSequence},
		{"milliseconds for seconds", `{"kind":"z","account":"x","at":1614265330123}`, none, Observation{}, CodeBadTime},
	}
	for _, c := range cases {
		got, err := m.Map([]byte(c.body), c.header)
		var u *Unplaceable
		if c.code != "" {
			if !errors.As(err, &u) || u.Code != c.code {
				t.Errorf("%s: %v, want %s", c.name, err, c.code)
			} else if c.code == CodeExpression && !strings.Contains(u.Detail, "mapping.") {
				t.Errorf("%s: no expression in %v", c.name, err)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %v\n got %+v\nwant %+v", c.name, err, got, c.want)
		}
	}
	if _, err := m.Map([]byte(`{"kind":"e","account":"x","data":{"l":`+zeros+`}}`), none); !strings.Contains(err.Error(), "cost limit exceeded") {
		t.Errorf("the reason does not say that the cost limit was exceeded: %v", err)
	}
}

// TestComputedNumbers: digits that an expression would lose are an error and not another id.
func TestComputedNumbers(t *testing.T) {
	d := mapped(t, `
type: body.type
connection: 'true ? body.id : ""'
`)
	m := d.NewMapper()
	for literal, want := range map[string]string{
		"9007199254740993": "9007199254740993", "18446744073709551615": "18446744073709551615", "1.5": "1.5", `"x"`: "x",
		"18446744073709551616": "", "123456789012345678901234567890": "", "1e300": "",
	} {
		o, err := m.Map([]byte(`{"type":"t","id":`+literal+`}`), nil)
		if o.Connection != want || (want == "") != (err != nil) {
			t.Errorf("%s: %q, %v", literal, o.Connection, err)
		}
	}
	asText := mapped(t, `
type: body.type
connection: '"n" + string(body.id)'
rules: [{name: a, when: body.id > 5.0, set: {sync: failed}}]
`).NewMapper()
	o, err := asText.Map([]byte(`{"type":"t","id":18446744073709551615}`), nil)
	if err != nil || o.Connection != "n18446744073709551615" || o.Rule != "a" {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err = asText.Map([]byte(`{"type":"t","id":18446744073709551616}`), nil); err == nil {
		t.Errorf("digits were lost: %+v", o)
	}
	// A condition only compares: there a long integer is a number like others.
	compared := mapped(t, "type: body.type\nconnection: body.id\nrules: [{name: a, when: body.id > 5.0, set: {sync: failed}}]").NewMapper()
	if o, err = compared.Map([]byte(`{"type":"t","id":18446744073709551616}`), nil); err != nil || o.Rule != "a" || o.Connection != "18446744073709551616" {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestFirstThatGives: null and "" are passed over, also for data, and a rule may name types and prefixes together.
func TestFirstThatGives(t *testing.T) {
	m := mapped(t, `
type: body.type
connection: body.c
data: [body.data, body.details]
rules:
  - {name: a, type: exact, type_prefix: [p., q.], set: {sync: failed}, reason: [data.x, data.y]}
`).NewMapper()
	for body, want := range map[string]string{
		`{"type":"exact","c":"c","data":"","details":{"y":"r"}}`:                 "a r",
		`{"type":"q.z","c":"c","data":null,"details":{"x":null,"y":"r"}}`:        "a r",
		`{"type":"p.","c":"c","data":{"x":"","y":1},"details":{"y":"no"}}`:       "a 1",
		`{"type":"exactly","c":"c","data":{"x":"r"}}`:                            " ",
		`{"type":"q","c":"c","data":{"x":"r"}}`:                                  " ",
		`{"type":"exact","c":"c","data":{"x":{"deep":1},"y":false},"details":1}`: "a false",
	} {
		o, err := m.Map([]byte(body), nil)
		if got := o.Rule + " " + o.Detail.Reason; err != nil || got != want {
			t.Errorf("%s: %q, want %q, %v", body, got, want, err)
		}
	}
}

// TestObjectsInOrder: an expression that goes through an object goes in the order of the body, every time.
func TestObjectsInOrder(t *testing.T) {
	d := mapped(t, `
type: body.type
connection: 'body.data.map(k, k).join(",")'
data: body.data
rules:
  - {name: a, set: {}, reason: 'data.filter(k, data[k] > 2).join(",")', code: 'data == body.data ? "same" : "other"'}
`)
	body := []byte(`{"type":"t","data":{"z":1,"a":2,"m":3,"b":4,"y":5,"c":6,"x":7,"d":8,"n":null}}`)
	for range 20 {
		o, err := d.NewMapper().Map(body, nil)
		if err != nil || o.Connection != "z,a,m,b,y,c,x,d" || o.Detail.Reason != "m,b,y,c,x,d" || o.Detail.Code != "same" {
			t.Fatalf("%+v, %v", o, err)
		}
	}
}
