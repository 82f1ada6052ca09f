package providers

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const minimal = `name: mine
signature: {scheme: none}
mapping:
  type: body.type
  connection: body.connection
`

func TestBuiltin(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	if got := Builtin(); err != nil || len(got) != len(files) || !slices.IsSorted(got) || !slices.Contains(got, "makini") {
		t.Fatalf("%q, %v: the files are %q", got, err, files)
	}
	// A rule that goes through a map whose names nobody knows before.
	inCEL := map[string]bool{"merge: sync failed": true}
	for _, name := range Builtin() {
		d, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		source, err := Source(name)
		if err != nil {
			t.Fatal(err)
		}
		if d.Extends() == nil && string(d.Text()) != string(source) {
			t.Errorf("%s: its text is another", name)
		}
		sum := sha256.Sum256(d.Text())
		if d.Name() != name || d.Title() == "" || !d.Assumed() || d.Notes() == "" || d.Content() != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: %q, %q, assumed %v, notes %q, content %s", name, d.Name(), d.Title(), d.Assumed(), d.Notes(), d.Content())
		}
		// What is shipped runs without the interpreter, the more so as it is an example.
		for _, r := range d.mapping.rules {
			if r.when != nil && r.when.cond == nil && !inCEL[name+": "+r.name] {
				t.Errorf("%s: the condition `%s` needs CEL", name, r.when.source)
			}
		}
	}
	if _, err := Source("nope"); err == nil {
		t.Error("a source of a definition that is not there")
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(path, []byte(minimal), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if d.Name() != "mine" || d.Title() != "mine" || d.Assumed() || len(d.KeepHeaders()) != 0 {
		t.Errorf("%+v", d)
	}
	for name, want := range map[string]string{
		"makinni":                 `did you mean "makini"?`,
		"zzz":                     "./zzz.yaml",
		"./not-there.yaml":        "no such file",
		t.TempDir() + "/dir.yaml": "no such file",
		t.TempDir() + "/":         "is a directory",
	} {
		if _, err := Load(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Load(%q): %v, want %q", name, err, want)
		}
	}
}

func TestKeepHeaders(t *testing.T) {
	d, err := Parse("x", []byte(`name: mine
keep_headers: [X-GitHub-Event, Webhook-Id]
signature: {scheme: none}
mapping:
  id: ['headers["webhook-id"]', headers.zid]
  type: body.type
  connection: body.connection
  rules:
    - {name: a, when: 'has(headers.flag) || headers["x-kind"].startsWith("a")', set: {}}
`))
	if err != nil {
		t.Fatal(err)
	}
	if got := d.KeepHeaders(); !reflect.DeepEqual(got, []string{"flag", "webhook-id", "x-github-event", "x-kind", "zid"}) {
		t.Fatal(got)
	}
	standard, err := Load("standard-webhooks")
	if err != nil {
		t.Fatal(err)
	}
	if got := standard.KeepHeaders(); !reflect.DeepEqual(got, []string{"svix-id", "webhook-id"}) {
		t.Fatal(got)
	}
}

// TestDefinitionErrors: each names the file, the line, the column, and what is wrong with what.
func TestDefinitionErrors(t *testing.T) {
	head := "name: mine\nsignature: {scheme: none}\n"
	mapped := head + "mapping:\n  type: body.type\n  connection: body.connection\n"
	sign := func(s string) string {
		return "name: mine\nmapping: {type: body.type, connection: body.c}\nsignature:\n" + indent(s)
	}
	rule := func(s string) string { return mapped + "  rules:\n    - name: r\n      set: {}\n" + s }
	placed := regexp.MustCompile(`^mine\.yaml:[1-9][0-9]*:[1-9][0-9]*: .`)
	cases := []struct {
		name, yaml, want string
	}{
		{"empty", "", "mine.yaml:1:1: not valid YAML"},
		{"a scalar", "makini", "mine.yaml:1:1: the definition must be a mapping"},
		{"a list", "- a", "mine.yaml:1:1: the definition must be a mapping"},
		{"no YAML", "name: mine\n\tx: 1\n", "mine.yaml:2:1: not valid YAML"},
		{"two documents", minimal + "---\n" + minimal, "not valid YAML"},
		{"not UTF-8", "name: mine\ntitle: \u00e9\xff", "mine.yaml:2:9: not valid UTF-8"},
		{"unknown key", "name: mine\nsignatur: {}\n", `mine.yaml:2:1: the definition: unknown key "signatur"; did you mean "signature"?`},
		{"unknown far", "name: mine\nqqqqqqqqqqqq: {}\n", `known are name, title`},
		{"a key twice", "name: mine\nname: yours\n", "mine.yaml:2"},
		{"bad name", "name: Mine!\n", `mine.yaml:1:7: name: "Mine!" must be`},
		{"name is a list", "name: [a]\n", "mine.yaml:1:7: name: must be a text"},
		{"no signature", "name: mine\nmapping: {}\n", "the part `signature:` is missing"},
		{"no mapping", head, "the part `mapping:` is missing"},
		{"assumed", "name: mine\nassumed: perhaps\n", "neither true nor false"},
		{"kept header", "keep_headers:\n  - X-Good\n  - a b\n" + mapped, "mine.yaml:3:5: keep_headers: \"a b\" is not"},
		{"kept secret", "keep_headers: [Authorization]\n" + mapped, `the header "authorization" carries secrets`},
		{"kept token", "keep_headers: [x-tok]\nname: mine\nsignature: {scheme: token, header: X-Tok}\nmapping: {type: body.t, connection: body.c}\n", "carries secrets"},

		{"no scheme", sign("header: X"), "mine.yaml:4:3: signature.scheme is missing"},
		{"unknown scheme", sign("scheme: hmca"), `mine.yaml:4:11: signature.scheme: "hmca" is none of hmac, standard-webhooks, jwt, token, basic, none; did you mean "hmac"?`},
		{"key of another scheme", sign("scheme: basic\nheader: X"), "mine.yaml:5:3: signature.header means nothing to the scheme basic"},
		{"no header", sign("scheme: hmac"), "signature.header is missing"},
		{"bad header", sign("scheme: hmac\nheader: \"X Y\""), `mine.yaml:5:11: signature.header: "X Y" is not a header's name`},
		{"algorithm", sign("scheme: hmac\nheader: X\nalgorithm: sha265"), `mine.yaml:6:14: signature.algorithm: "sha265" is none of sha256, sha1, sha512; did you mean "sha256"?`},
		{"no body", sign("scheme: hmac\nheader: X\ncontent: \"{timestamp}\""), "{body} is missing"},
		{"unknown placeholder", sign("scheme: hmac\nheader: X\ncontent: \"{bdy}\""), "{bdy} is none of"},
		{"open brace", sign("scheme: hmac\nheader: X\ncontent: \"{body\""), "without its '}'"},
		{"body twice", sign("scheme: hmac\nheader: X\ncontent: \"{body}.{body}\""), "twice"},
		{"adjacent", sign("scheme: hmac\nheader: X\ncontent: \"{timestamp}{body}\"\ntimestamp: {header: T}"), "split in two ways"},
		{"digit", sign("scheme: hmac\nheader: X\ncontent: \"{timestamp}0{body}\"\ntimestamp: {header: T}"), "split in two ways"},
		{"digit before", sign("scheme: hmac\nheader: X\ncontent: \"{body}0{timestamp}\"\ntimestamp: {header: T}"), "split in two ways"},
		{"no place", sign("scheme: hmac\nheader: X\ncontent: \"{timestamp}.{body}\""), "belong together"},
		{"unsigned time", sign("scheme: hmac\nheader: X\ntimestamp: {header: T}"), "a time that is not signed proves nothing"},
		{"unsigned id", sign("scheme: hmac\nheader: X\nid: {header: T}"), "belong together"},
		{"both places", sign("scheme: hmac\nheader: X\ncontent: \"{timestamp}.{body}\"\ntimestamp: {header: T, key: t}"), "either `header:`"},
		{"key without separator", sign("scheme: hmac\nheader: X\nkey: v1"), "needs a separator"},
		{"time key without key", sign("scheme: hmac\nheader: X\nseparator: \",\"\ncontent: \"{timestamp}.{body}\"\ntimestamp: {key: t}"), "which of the entries"},
		{"key and prefix", sign("scheme: hmac\nheader: X\nseparator: \",\"\nkey: v1\nprefix: p"), "exclude each other"},
		{"optional nothing", sign("scheme: hmac\nheader: X\nprefix_optional: true"), "there is no prefix"},
		{"window without time", sign("scheme: hmac\nheader: X\ntolerance: 5m"), "no replay window"},
		{"tolerance off", sign("scheme: standard-webhooks\ntolerance: 0s"), "mine.yaml:5:14: signature.tolerance: 0s is not between"},
		{"tolerance", sign("scheme: standard-webhooks\ntolerance: 5 minutes"), "not a duration"},
		{"families", sign("scheme: standard-webhooks\nheader_prefixes: [\"a b\"]"), "cannot begin a header's name"},
		{"token nowhere", sign("scheme: token"), "in the path"},

		{"no type", head + "mapping:\n  connection: body.c\n", "mine.yaml:4:3: mapping.type is missing"},
		{"no connection", head + "mapping:\n  type: body.c\n", "mapping.connection is missing"},
		{"expression", head + "mapping:\n  type: body.type\n  connection:\n    - body.ok\n    - body.(\n", "mine.yaml:7:12: mapping.connection: the expression `body.(` is wrong: Syntax error"},
		{"expression in a block", head + "mapping:\n  connection: body.c\n  type: |\n    body.a +\n    nope.b\n", "mine.yaml:7:5: mapping.type: the expression `body.a +\nnope.b` is wrong: undeclared reference to 'nope'; known here: body, headers (at column 1 of the expression)"},
		{"expression is a map", head + "mapping:\n  type: {a: b}\n  connection: body.c\n", "mine.yaml:4:9: mapping.type must be an expression"},
		{"too long", head + "mapping:\n  type: body." + strings.Repeat("a", 5000) + "\n", "longer than 4096"},
		{"too many", head + "mapping:\n  type: [" + strings.Repeat("body.a,", 17) + "]\n", "more than 16"},
		{"data computed", mapped + "  data: 'body.a + body.b'\n", "not a plain path into the body"},
		{"data computed, second", mapped + "  data:\n    - body.data\n    - size(body)\n", "mine.yaml:8:7: mapping.data: the expression `size(body)` is not a plain path"},
		{"data from data", mapped + "  data: data.x\n", "undeclared reference to 'data', which is not known yet here; known here: body"},
		{"type from data", head + "mapping:\n  type: data.type\n  connection: body.c\n", "undeclared reference to 'data'"},
		{"unit", mapped + "  time_unit: sec\n", `mapping.time_unit: "sec" is none of auto, s, ms, us, ns`},
		{"zone", mapped + "  time_zone: Europe/Berlin\n", "fixed offset"},
		{"nameless rule", mapped + "  rules:\n    - set: {}\n", "mine.yaml:7:7: mapping.rules[0] needs a name"},
		{"rule name twice", rule("    - name: r\n      set: {}\n"), "mine.yaml:9:7: mapping.rules[1]: the rule at mine.yaml:7:7 has the name"},
		{"rule without set", mapped + "  rules:\n    - name: r\n", "has no `set:`"},
		{"unknown facet", mapped + "  rules:\n    - name: r\n      set: {synk: failed}\n", `mine.yaml:8:13: mapping.rules[0].set: unknown key "synk"; did you mean "sync"?`},
		{"unknown value", mapped + "  rules:\n    - name: r\n      set:\n        sync: fialed\n", `mine.yaml:9:15: mapping.rules[0].set.sync: "fialed" is none of unknown, running, succeeded, failed, cancelled; did you mean "failed"?`},
		{"when is a text", rule("      when: '\"a\"'\n"), "mine.yaml:9:13: mapping.rules[0].when: the expression `\"a\"` gives string, not a boolean"},
		{"when", rule("      when: data.x ==\n"), "mine.yaml:9:22: mapping.rules[0].when: the expression `data.x ==` is wrong"},
		{"null", rule("      when: data.x == null\n"), "write !has"},
		{"map without order", rule("      when: '{\"a\":1}.exists(k, k == data.x)'\n"), "no fixed order"},
		{"all headers", rule("      when: size(headers) > 1\n"), "one by one"},
		{"header by a value", rule("      when: headers[data.x] == \"1\"\n"), "one by one"},
		{"header in capitals", rule("      when: headers[\"X-Kind\"] == \"1\"\n"), "lower case"},
		{"secret header", rule("      when: headers.authorization == \"1\"\n"), "carries secrets"},
		{"rule key", rule("      wen: 'true'\n"), `unknown key "wen"; did you mean "when"?`},
	}
	for _, c := range cases {
		_, err := Parse("mine.yaml", []byte(c.yaml))
		if err == nil || !strings.Contains(err.Error(), c.want) || !placed.MatchString(err.Error()) {
			t.Errorf("%s: %v\nwant %s", c.name, err, c.want)
		}
	}
	if _, err := Parse("mine.yaml", make([]byte, maxDefinition+1)); err == nil {
		t.Error("a definition of more than 1 MiB was read")
	}
}

func TestAnchors(t *testing.T) {
	d, err := Parse("x", []byte(`name: mine
signature: {scheme: none}
mapping:
  type: body.type
  connection: body.connection
  rules:
    - {name: a, type: a, set: &bad {sync: failed}, message: &m [body.error, body.message]}
    - {name: b, type: b, set: *bad, message: *m}
`))
	if err != nil {
		t.Fatal(err)
	}
	o, err := d.NewMapper().Map([]byte(`{"type":"b","connection":"c","message":"m"}`), nil)
	if err != nil || o.Sets[Sync] != SyncFailed || o.Detail.Message != "m" {
		t.Fatal(o, err)
	}
}

func FuzzDefinition(f *testing.F) {
	for _, name := range Builtin() {
		source, err := Source(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(source)
	}
	f.Add([]byte(minimal))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("extends: makini\nmapping: &a {id: *a, rules_first: [*a]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse("fuzz.yaml", data)
		if (d == nil) == (err == nil) {
			t.Fatalf("%v, %v", d, err)
		}
		if err == nil {
			_, err := d.NewMapper().Map([]byte(body600), func(string) string { return "h" })
			var u *Unplaceable
			if err != nil && !errors.As(err, &u) {
				t.Fatal(err)
			}
			return
		}
		if !strings.HasPrefix(err.Error(), "fuzz.yaml:") {
			t.Fatalf("no file in %v", err)
		}
	})
}
