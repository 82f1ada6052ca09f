package providers

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
)

// write puts files into a new directory and returns its path.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// signedBy reports whether the definition signs in the header of that name.
func signedBy(t testing.TB, d *Definition, header string) bool {
	t.Helper()
	h, err := d.Sign(NewSecret("s"), "", time.Unix(1773480413, 0), []byte(body600))
	if err != nil {
		t.Fatal(err)
	}
	return h.Get(header) != ""
}

// TestExtendsHeader is the changed header name: three lines, and all the rest is Makini's.
func TestExtendsHeader(t *testing.T) {
	d, err := Parse("mine.yaml", []byte("extends: makini\nsignature:\n  header: X-Acme-Signature\n"))
	if err != nil {
		t.Fatal(err)
	}
	base := makini(t)
	if !signedBy(t, d, "X-Acme-Signature") || signedBy(t, d, "X-Makini-Signature") {
		t.Error("not signed in the other header")
	}
	now := time.Unix(1773480413, 0)
	header := http.Header{"X-Acme-Signature": {"sha256=" + hmacOf("s", body600)}}
	if _, err := verifier(t, d, "s").Verify(Request{Header: header, Body: []byte(body600)}, now); err != nil {
		t.Errorf("the inherited prefix: %v", err)
	}
	want, err := base.NewMapper().Map([]byte(failed600), nil)
	if err != nil {
		t.Fatal(err)
	}
	if o, err := d.NewMapper().Map([]byte(failed600), nil); err != nil || o != want {
		t.Errorf("%+v, %v", o, err)
	}
	if d.Name() != "makini" || d.Title() != "Makini" || !d.Assumed() || d.Notes() != base.Notes() {
		t.Errorf("%s %s %v", d.Name(), d.Title(), d.Assumed())
	}
	if got := d.Extends(); !reflect.DeepEqual(got, []string{"built-in makini.yaml"}) || d.Files() != nil {
		t.Error(got, d.Files())
	}
}

func hmacOf(secret, body string) string {
	m := newHMACKey("sha256", []byte(secret)).get()
	m.h.Write([]byte(body))
	return hex.EncodeToString(m.h.Sum(nil))
}

// TestExtendsOverrides has what each kind of override does.
func TestExtendsOverrides(t *testing.T) {
	const body = `{"event_type":"sync.failed","type":"other","connection_id":"c","tenant":"t","data":{"error":{"code":"E"}}}`
	cases := []struct {
		name, over string
		check      func(d *Definition, o Observation) bool
	}{
		{"a list replaces", "mapping: {type: [body.type]}", func(_ *Definition, o Observation) bool { return o.Type == "other" && o.Rule == "" }},
		{"a text replaces a list", "mapping: {connection: body.tenant}", func(_ *Definition, o Observation) bool { return o.Connection == "t" }},
		{"rules replace", "mapping:\n  rules:\n    - {name: mine, set: {auth: ok}}", func(d *Definition, o Observation) bool {
			return o.Rule == "mine" && len(d.mapping.rules) == 1
		}},
		{"rules first", "mapping:\n  rules_first:\n    - {name: mine, type: sync.failed, set: {sync: cancelled}}", func(d *Definition, o Observation) bool {
			return o.Rule == "mine" && o.Sets[Sync] == SyncCancelled && len(d.mapping.rules) == 14
		}},
		{"one rule first, no list", "mapping:\n  rules_first: {name: mine, type: sync.failed, set: {sync: cancelled}}", func(_ *Definition, o Observation) bool { return o.Rule == "mine" }},
		{"a rule first that is not for it", "mapping:\n  rules_first:\n    - {name: mine, type: x, set: {}}", func(_ *Definition, o Observation) bool {
			return o.Rule == "sync failed" && o.Detail.Code == "E"
		}},
		{"rules and rules first", "mapping:\n  rules: {name: b, set: {}}\n  rules_first: {name: a, when: has(body.x), set: {}}", func(d *Definition, o Observation) bool {
			return o.Rule == "b" && d.mapping.rules[0].name == "a"
		}},
		{"no rules", "mapping: {rules: }", func(_ *Definition, o Observation) bool { return o.Rule == "" }},
		{"taken off", "signature: {prefix: , prefix_optional: }", func(d *Definition, _ Observation) bool { return d.signature.prefix == "" }},
		{"a flag", "signature: {prefix_optional: false}", func(d *Definition, _ Observation) bool { return !d.signature.prefixOptional }},
		{"another scheme", "signature: {scheme: token, header: X-Token}", func(d *Definition, _ Observation) bool {
			return d.Scheme() == "token" && d.signature.prefix == ""
		}},
		{"the same scheme", "signature: {scheme: hmac, encoding: base64}", func(d *Definition, _ Observation) bool {
			return d.signature.encoding == "base64" && d.signature.header == "X-Makini-Signature"
		}},
		{"a name", "name: mine\ntitle: Mine\nassumed: false\non_failure: gives up", func(d *Definition, _ Observation) bool {
			return d.Name() == "mine" && d.Title() == "Mine" && !d.Assumed() && d.OnFailure() == "gives up"
		}},
		{"headers to keep", "keep_headers: [X-A]", func(d *Definition, _ Observation) bool { return d.KeepHeaders()[0] == "x-a" }},
		{"a new group", "signature: {content: '{timestamp}.{body}', timestamp: {header: X-T}}", func(d *Definition, _ Observation) bool {
			return d.signature.timestamp.header == "X-T"
		}},
		{"aliases", "mapping:\n  type: &t [body.type]\n  id: *t", func(_ *Definition, o Observation) bool { return o.DeliveryID == "other" }},
		{"nothing", "{}", func(_ *Definition, o Observation) bool { return o.Rule == "sync failed" }},
	}
	for _, c := range cases {
		text := "extends: makini\n" + c.over
		if c.over == "{}" {
			text = "extends: makini\n"
		}
		d, err := Parse("mine.yaml", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		o, err := d.NewMapper().Map([]byte(body), nil)
		if err != nil || !c.check(d, o) {
			t.Errorf("%s: %+v, %v", c.name, o, err)
		}
		sum := sha256.Sum256(d.Text())
		if d.Content() != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: the digest is not that of the text", c.name)
		}
		again, err := Parse("again.yaml", d.Text())
		if err != nil || again.Extends() != nil {
			t.Fatalf("%s: what it is composed of does not stand by itself: %v\n%s", c.name, err, d.Text())
		}
		if o2, err := again.NewMapper().Map([]byte(body), nil); err != nil || o2 != o || again.Digest() != d.Digest() || again.Content() != d.Content() {
			t.Errorf("%s: read again: %+v, %v", c.name, o2, err)
		}
	}
}

// TestExtendsFiles: paths start at the file that names them, and the digest
// covers all that a definition is composed of, and nothing beside.
func TestExtendsFiles(t *testing.T) {
	dir := write(t, map[string]string{
		"top.yaml":          "extends: ./sub/middle.yaml\nmapping:\n  rules_first:\n    - {name: top, type: x, set: {}}\n",
		"sub/middle.yaml":   "extends: ../below.yml # up again\nname: middle\nmapping:\n  rules_first:\n    - {name: middle, type: x, set: {}}\n",
		"below.yml":         "extends: makini\nsignature: {header: X-Below}\nmapping: {id: body.a}\n",
		"sub/elsewhere.yml": "extends: ../below.yml\nname: middle\nmapping: {rules_first: [{name: top, type: x, set: {}}, {name: middle, type: x, set: {}}]}\n",
	})
	load := func(name string) *Definition {
		d, err := Load(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := load("top.yaml")
	if d.Name() != "middle" || !signedBy(t, d, "X-Below") || d.mapping.rules[0].name != "top" || d.mapping.rules[1].name != "middle" || len(d.mapping.rules) != 15 {
		t.Errorf("%+v", d)
	}
	paths := []string{filepath.Join(dir, "top.yaml"), filepath.Join(dir, "sub/middle.yaml"), filepath.Join(dir, "below.yml")}
	if got := d.Files(); !reflect.DeepEqual(got, paths) {
		t.Error(got)
	}
	if got := d.Extends(); !reflect.DeepEqual(got, append(paths[1:], "built-in makini.yaml")) {
		t.Error(got)
	}
	if load("sub/elsewhere.yml").Digest() == "" {
		t.Error("no digest")
	}
	was := d.Digest()
	edit := func(name, old, new string) {
		path := filepath.Join(dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(text), old, new, 1)
		if changed == string(text) {
			t.Fatalf("%s has no %q", name, old)
		}
		if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	edit("below.yml", "signature:", "# the sender said so\nsignature:")
	if load("top.yaml").Digest() != was {
		t.Error("a comment changed the digest of what is composed")
	}
	content := d.Content()
	edit("below.yml", "X-Below", "X-Other")
	if d := load("top.yaml"); d.Digest() != was || d.Content() == content {
		t.Error("another header changes how events are proven, not what they mean")
	}
	edit("below.yml", "body.a", "body.b")
	if load("top.yaml").Digest() == was {
		t.Error("the digest does not cover what is extended")
	}
}

// TestExtendsErrors: each names the file that is wrong, and where in it.
func TestExtendsErrors(t *testing.T) {
	long := map[string]string{"end.yaml": minimal}
	for i := range 12 {
		long[fmt.Sprintf("f%d.yaml", i)] = fmt.Sprintf("extends: f%d.yaml\n", i+1)
	}
	long["f12.yaml"] = "extends: end.yaml\n"
	bomb := "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
	for c := 'b'; c < 'h'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat("*"+string(c-1)+",", 10), ","))
	}
	cases := []struct {
		name  string
		files map[string]string
		want  string // with DIR/ for the directory
	}{
		{"unknown", map[string]string{"a.yaml": "name: a\nextends: makinni\n"}, `DIR/a.yaml:2:10: extends: no built-in provider definition is called "makinni"; did you mean "makini"?`},
		{"no file", map[string]string{"a.yaml": "extends: ./b.yaml\n"}, "DIR/a.yaml:1:10: extends: reading a provider definition: open DIR/b.yaml: no such file"},
		{"a list", map[string]string{"a.yaml": "extends: [makini]\n"}, "DIR/a.yaml:1:10: extends: must be the name"},
		{"null", map[string]string{"a.yaml": "extends:\n"}, "extends: must be the name"},
		{"itself", map[string]string{"a.yaml": "extends: a.yaml\n"}, "DIR/a.yaml:1:10: extends: a circle: DIR/a.yaml extends DIR/a.yaml"},
		{"a circle", map[string]string{"a.yaml": "extends: b.yaml\n", "b.yaml": "extends: ./c.yaml\n", "c.yaml": "title: c\nextends: ../DIRNAME/b.yaml\n"},
			"DIR/c.yaml:2:10: extends: a circle: DIR/b.yaml extends DIR/c.yaml extends DIR/b.yaml"},
		{"too many", long, "extends: more than 8 definitions"},
		{"wrong above", map[string]string{"a.yaml": "extends: b.yaml\nsignature: {heder: X}\n", "b.yaml": "extends: makini\n"}, `DIR/a.yaml:2:13: signature: unknown key "heder"; did you mean "header"?`},
		{"wrong below", map[string]string{"a.yaml": "extends: b.yaml\n", "b.yaml": "extends: makini\nmapping:\n  id: body.(\n"}, "DIR/b.yaml:3:12: mapping.id: the expression `body.(` is wrong"},
		{"no YAML below", map[string]string{"a.yaml": "extends: b.yaml\n", "b.yaml": "a: [\n"}, "DIR/b.yaml:2:1: not valid YAML"},
		{"no mapping below", map[string]string{"a.yaml": "extends: b.yaml\n", "b.yaml": "- a\n"}, "DIR/b.yaml:1:1: the definition must be a mapping"},
		{"a key twice", map[string]string{"a.yaml": "extends: makini\nsignature: {header: X, header: Y}\n"}, "DIR/a.yaml:2:24: the key signature.header stands here a second time"},
		{"a key twice below", map[string]string{"a.yaml": "extends: b.yaml\ntitle: x\n", "b.yaml": "extends: makini\ntitle: b\ntitle: b\n"}, "DIR/b.yaml:3:1: the key title stands here a second time"},
		{"first rule", map[string]string{"a.yaml": "extends: makini\nmapping:\n  rules_first:\n    - name: a\n      set: {sink: failed}\n"}, `DIR/a.yaml:5:13: mapping.rules_first[0].set: unknown key "sink"; did you mean "sync"?`},
		{"a rule's name twice", map[string]string{"a.yaml": "extends: makini\nmapping:\n  rules_first:\n    - {name: sync failed, set: {}}\n"}, `DIR/a.yaml:4:7: mapping.rules_first[0]: the rule at ` + inMakini(t, "    - name: sync failed") + `:7 has the name "sync failed" already`},
		{"no fit", map[string]string{"a.yaml": "name: a\nextends: makini\nsignature: {key: v1, separator: ','}\n"}, "DIR/a.yaml:2:10: extends: the parts that are overridden here do not fit an inherited one: " + inMakini(t, "  prefix:") + ":11: signature.prefix: and key exclude"},
		{"first of nothing", map[string]string{"a.yaml": strings.Replace(minimal, "mapping:", "mapping:\n  rules_first: []", 1)}, "DIR/a.yaml:4:16: mapping.rules_first: there are no inherited rules"},
		{"nothing to take off", map[string]string{"a.yaml": "extends: makini\nsignature: {key: }\n"}, "DIR/a.yaml:2:1"},
		{"an alias in itself, alone", map[string]string{"a.yaml": "name: a\nmapping: &m [*m]\n"}, "DIR/a.yaml:2:"},
		{"an alias in itself", map[string]string{"a.yaml": "extends: makini\nmapping: &m {id: *m}\n"}, "DIR/a.yaml:2:14: nested too deep"},
		{"a bomb", map[string]string{"a.yaml": "extends: makini\n" + bomb}, "nested too deep or too large"},
		{"a bomb below", map[string]string{"a.yaml": "extends: b.yaml\n", "b.yaml": bomb}, "DIR/b.yaml:"},
	}
	for _, c := range cases {
		dir := t.TempDir()
		first := ""
		for name, text := range c.files {
			text = strings.ReplaceAll(text, "DIRNAME", filepath.Base(dir))
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			first = "a.yaml"
		}
		if c.name == "too many" {
			first = "f0.yaml"
		}
		d, err := Load(filepath.Join(dir, first))
		if err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(c.want, "DIR", dir)) {
			t.Errorf("%s: %v, %v\nwant %s", c.name, d, err, strings.ReplaceAll(c.want, "DIR", dir))
		}
	}
	// What comes from somebody else reads no file, and neither does a built-in definition.
	if _, err := Parse("given.yaml", []byte("extends: /etc/passwd\n")); err == nil || !strings.Contains(err.Error(), "given.yaml:1:10: extends: \"/etc/passwd\" is a path") {
		t.Error(err)
	}
	if _, err := openBuiltin("../providers/makini"); err == nil {
		t.Error("a path named a built-in definition")
	}
}

// TestInline: a definition in the middle of another file, wrong places included.
func TestInline(t *testing.T) {
	dir := write(t, map[string]string{"below.yaml": "extends: makini\nsignature: {header: X-Below}\n"})
	file := filepath.Join(dir, "tidemark.yaml")
	inline := func(value string) *Inline {
		text := []byte("listen: x\nfirst: &rule {name: mine, type: a, set: {}}\nprovider: " + value + "\n")
		var doc yaml.Node
		if err := yaml.Load(text, &doc); err != nil {
			t.Fatal(err)
		}
		return NewInline(file, text, doc.Content[0].Content[5])
	}
	i := inline("{extends: makini, signature: {header: X-Acme-Signature}}")
	d, err := i.Load()
	if err != nil || !signedBy(t, d, "X-Acme-Signature") || i.Extends() != "makini" || d.Files() != nil {
		t.Fatal(d, err)
	}
	same, err := Parse("x", []byte("# in a file\nextends: makini\nsignature:\n  header: X-Acme-Signature\n"))
	if err != nil || same.Digest() != d.Digest() {
		t.Errorf("the digest depends on where it is written: %v\n%s\n%s", err, same.Text(), d.Text())
	}
	if d, err = inline("{extends: below.yaml, mapping: {rules_first: [*rule]}}").Load(); err != nil || !signedBy(t, d, "X-Below") || d.mapping.rules[0].name != "mine" || len(d.Files()) != 1 {
		t.Fatal(d, err)
	}
	whole := inline("\n  name: whole\n  signature: {scheme: none}\n  mapping: {type: body.a, connection: body.b, rules: [*rule]}")
	if d, err = whole.Load(); err != nil || d.Name() != "whole" || whole.Extends() != "" {
		t.Fatal(d, err)
	}
	if _, err := Parse("again", d.Text()); err != nil {
		t.Errorf("%v\n%s", err, d.Text())
	}
	for value, want := range map[string]string{
		"{extends: makinni}":                      ":3:21: extends: no built-in",
		"{extends: makini, mapping: {id: bdy.a}}": ":3:43: mapping.id: the expression `bdy.a` is wrong: undeclared reference to 'bdy'; did you mean \"body\"? (at column 1",
		"\n  extends: makini\n  mapping:\n    id: |\n      body.a\n      + nope": ":8:9: mapping.id",
	} {
		if _, err := inline(value).Load(); err == nil || !strings.HasPrefix(err.Error(), file+want) {
			t.Errorf("%s: %v, want %s", value, err, want)
		}
	}
}

// inMakini says in which line of the built-in makini a text stands.
func inMakini(t *testing.T, text string) string {
	t.Helper()
	source, err := Source("makini")
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(source), "\n"+text)
	if !found {
		t.Fatalf("makini.yaml has no %q", text)
	}
	return fmt.Sprintf("built-in makini.yaml:%d", strings.Count(before, "\n")+2)
}
