package providers

import (
	"strings"
	"testing"
)

const digested = `
name: one
signature: {scheme: none}
mapping:
  type: body.type
  connection: [body.a, body.b]
  rules:
    - {name: first, type: up, set: {auth: ok, sync: succeeded}}
    - {name: second, type: down, set: {auth: required}, reason: body.why}
`

// The digest is of what events mean: nothing else may begin a rebuild, and nothing of
// it may go unnoticed.
func TestDigest(t *testing.T) {
	parse := func(old, replaced string) *Definition {
		t.Helper()
		text := strings.Replace(digested, old, replaced, 1)
		if old != "" && text == digested {
			t.Fatalf("there is no %q to replace", old)
		}
		d, err := Parse("digested.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	plain := parse("", "")
	if len(plain.Digest()) != 64 || len(plain.Content()) != 64 || plain.Digest() == plain.Content() {
		t.Errorf("digest %s of the content %s", plain.Digest(), plain.Content())
	}
	for _, same := range [][2]string{
		{"\nname:", "\n# a comment\nname:"},
		{"name: one", "name: other\ntitle: Title\nnotes: words\non_failure: it tries again\nassumed: true"},
		{"{scheme: none}", "{scheme: hmac, header: X-Signature}"},
		{"\nmapping:", "\nkeep_headers: [x-more]\nmapping:"},
		{"{auth: ok, sync: succeeded}", `{sync: "succeeded", 'auth': ok}`},
		{"type: body.type", "type:   'body.type'"},
		{"{name: first, type: up,", "{type: up, name: first,"},
	} {
		d := parse(same[0], same[1])
		if d.Digest() != plain.Digest() {
			t.Errorf("%q for %q changes the digest", same[1], same[0])
		}
		if d.Content() == plain.Content() {
			t.Errorf("%q for %q is the same content", same[1], same[0])
		}
	}
	seen := map[string]string{plain.Digest(): "nothing"}
	for _, other := range [][2]string{
		{"[body.a, body.b]", "[body.b, body.a]"},
		{"[body.a, body.b]", "[body.a]"},
		{"auth: ok", "auth: expiring"},
		{"name: first", "name: foremost"},
		{", reason: body.why", ""},
		{"body.why", "body.wherefore"},
		{"  rules:", "  sequence: body.n\n  rules:"},
		{"  rules:", "  time_unit: s\n  rules:"},
		{"type: down,", "type_prefix: down,"},
	} {
		d := parse(other[0], other[1])
		if was := seen[d.Digest()]; was != "" {
			t.Errorf("%q for %q has the digest of %s", other[1], other[0], was)
		}
		seen[d.Digest()] = other[1]
	}
}
