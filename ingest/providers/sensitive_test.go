package providers

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// marked is a definition with the given parts beside its mapping.
func marked(t testing.TB, top, mapping string) *Definition {
	t.Helper()
	d, err := Parse("marked.yaml", []byte("name: marked\nsignature: {scheme: none}\n"+top+"\nmapping:\n"+indent(mapping)))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const markedMapping = `
id: body.id
type: body.type
connection: body.connection
data: [body.data, body.payload.data]
form_field: payload
`

func TestHiddenPaths(t *testing.T) {
	d := marked(t, `sensitive: [body.user.email, 'body["e-mail"]', "body.list[*].name", data.title]`+"\nredact: body['token']", markedMapping)
	if got, want := d.Sensitive(), []string{"body.user.email", `body["e-mail"]`, "body.list[*].name", "body.data.title", "body.payload.data.title"}; !reflect.DeepEqual(got, want) {
		t.Errorf("sensitive: %q", got)
	}
	if got := d.Redacted(); !reflect.DeepEqual(got, []string{"body.token"}) || !d.Hides() {
		t.Errorf("redact: %q", got)
	}
	if plain := marked(t, "", markedMapping); plain.Hides() || plain.Sensitive() != nil || plain.NewRedactor([]byte("k")) != nil {
		t.Error("a definition that hides nothing hides something")
	}
	for paths, want := range map[string]string{
		"[body]":                                 "x.yaml:3:13: sensitive: `body` is all there is",
		"[body.a, boddy.b]":                      "x.yaml:3:21: sensitive: `boddy.b` begins neither with body nor with data; did you mean \"body\"?",
		`['headers["x"]']`:                       "begins neither with body nor with data",
		"[type]":                                 "begins neither",
		`[""]`:                                   "it begins with body or data",
		"[body.]":                                "a name must follow the dot",
		"[body.a-b]":                             `"-b": a path is made of`,
		"['body[0]']":                            `"[0]": a path is made of`,
		`['body["a']`:                            "a name in brackets",
		`['body["a\"b"]']`:                       "without escapes",
		"[[body.a]]":                             "must be a path",
		"[~]":                                    "must be a path",
		"{a: b}":                                 "must be a path",
		"[body" + strings.Repeat(".a", 33) + "]": "more than 32 steps",
		"[" + strings.Repeat("body.a,", 101) + "]": "more than 100 paths",
	} {
		_, err := Parse("x.yaml", []byte("name: x\nsignature: {scheme: none}\nsensitive: "+paths+"\nmapping: {type: body.type, connection: body.c}\n"))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "x.yaml:3:") {
			t.Errorf("%.60s: %v, want %s", paths, err, want)
		}
	}
	if _, err := Parse("x.yaml", []byte(minimal+"redact: [data.a]\n")); err == nil || !strings.Contains(err.Error(), "redact: `data.a`: the mapping knows no data") {
		t.Error(err)
	}
	if _, err := Parse("x.yaml", []byte(minimal+"  data: body\nredact: [data]\n")); err == nil || !strings.Contains(err.Error(), "is the whole body here") {
		t.Error(err)
	}
}

// TestShownExpressions: what names a sensitive field is refused where people would see it, by line and column.
func TestShownExpressions(t *testing.T) {
	const text = `name: x
signature: {scheme: none}
sensitive: [data.title, body.who, "body.list[*].name"]
redact: [body.token]
mapping:
  type: %s
  connection: %s
  data: body.data
  occurred_at: body.at
  rules:
    - name: r
      when: %s
      set: {}
      reason: %s
`
	try := func(typ, connection, when, reason string) error {
		_, err := Parse("x.yaml", fmt.Appendf(nil, text, typ, connection, when, reason))
		return err
	}
	const fine = "body.t"
	if err := try(fine, fine, "body.who == 'a' && data.title.contains('x')", fine); err != nil {
		t.Errorf("a condition may read what is sensitive: %v", err)
	}
	for _, reason := range []string{"data.other", "\"has(data.title) ? 'named' : 'not'\"", "body", "data.titles", "[body.x, data.t]", "body.token", "body.token + '!'", "body.list[0].other",
		"body.list.map(i, i.name)[0]", `body["w" + "ho"]`} {
		if err := try(fine, fine, "true", reason); err != nil {
			t.Errorf("%s: %v", reason, err)
		}
	}
	for reason, want := range map[string]string{
		"data.title":                            "x.yaml:14:15: mapping.rules[0].reason: the expression `data.title` reads data.title, which is sensitive",
		"'''x'' + body.who'":                    "x.yaml:14:24: mapping.rules[0].reason: the expression `'x' + body.who` reads body.who",
		"[body.t, body.data.title]":             "x.yaml:14:24: mapping.rules[0].reason: the expression `body.data.title`",
		"body.who.first":                        "reads body.who.first",
		`'body["who"]'`:                         "reads body.who",
		"\"has(body.who.x) ? 'a' : 'b'\"":       "reads body.who",
		"body.list[3].name":                     "reads body.list[*].name",
		"\"body.t == 1 ? body.who : 'x'\"":      "reads body.who",
		"body.x.filter(i, i == body.who)[0]":    "reads body.who",
		"'{\"a\": body.who}.a'":                 "reads body.who",
		"|\n        body.t +\n        body.who": "reads body.who",
	} {
		if err := try(fine, fine, "true", reason); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", reason, err, want)
		}
	}
	if err := try(fine, "[body.t, body.who]", "true", fine); err == nil || !strings.Contains(err.Error(), "x.yaml:7:24: mapping.connection") {
		t.Error(err)
	}
	if err := try("body.token", fine, "true", fine); err == nil || !strings.Contains(err.Error(), "reads body.token, which is redacted: once stored it is a hash, and no type") {
		t.Error(err)
	}
	if err := try(fine, "body.token", "true", fine); err != nil {
		t.Errorf("a redacted connection id is a good one: %v", err)
	}
}

const secret = "CANARY-9c2f"

// TestComputedIsMasked: what expressions compute of sensitive fields holds none of them,
// also where it fails, and conditions go on reading them.
func TestComputedIsMasked(t *testing.T) {
	body := []byte(`{"type":"t","id":"i","connection":"c","who":"` + secret + `","n":5,"o":{"deep":["` + secret + `"]},"list":[{"name":"` + secret + `","other":"seen"}],"none":null,"empty":""}`)
	const head = "sensitive: [body.who, body.n, body.o, 'body.list[*].name', body.none, body.empty]"
	for expression, want := range map[string]string{
		`body["w" + "ho"]`:              "[masked]",
		`"<" + body["w" + "ho"] + ">"`:  "<[masked]>",
		`body.list.map(i, i.name)[0]`:   "[masked]",
		`body.list.map(i, i.other)[0]`:  "seen",
		`"%s".format([body.list])`:      "",
		`string(body["n" + ""]) + "!"`:  "[masked]!",
		`body["o" + ""]`:                "[masked]",
		`has(body.who) ? "yes" : "no"`:  "yes",
		`has(body.none) ? "yes" : "no"`: "no",
		`has(body.list) ? "yes" : "no"`: "yes",
	} {
		d := marked(t, head, markedMapping+"rules: [{name: r, when: body.who.startsWith('CANARY') && body.n == 5, set: {}, reason: '"+strings.ReplaceAll(expression, "'", "''")+"'}]")
		o, err := d.NewMapper().Map(body, contentType(""))
		if err == nil && o.Rule != "r" {
			t.Errorf("%s: the condition did not read the field", expression)
		}
		said := fmt.Sprintf("%+v %v", o, err)
		if strings.Contains(said, secret) || want != "" && o.Detail.Reason != want {
			t.Errorf("%s: %s, want %q", expression, said, want)
		}
	}
	for name, change := range map[string]string{
		"type":       "type: 'body[\"w\" + \"ho\"]'",
		"connection": "connection: '\"a-\" + body[\"w\" + \"ho\"]'",
		"id":         "id: 'body.list.map(i, i.name)[0]'",
	} {
		line := name + ": body." + name
		d := marked(t, head, strings.Replace(markedMapping, line+"\n", change+"\n", 1))
		_, err := d.NewMapper().Map(body, contentType(""))
		var u *Unplaceable
		if !errors.As(err, &u) || u.Code != CodeSensitive || strings.Contains(err.Error(), secret) {
			t.Errorf("%s out of a sensitive field: %v", name, err)
		}
	}
	for _, when := range []string{"int(body.who) > 3", "timestamp(body.who) > timestamp(0)", "body.who.substring(900) == 'x'", "body.o[body.who] == 1", "body.who.matches('[')", "{'a': 1}[body.who] == 1"} {
		d, err := Parse("x", []byte("name: x\nsignature: {scheme: none}\n"+head+"\nmapping:\n"+indent(markedMapping+"rules: [{name: r, when: \""+when+"\", set: {}}]")))
		if err != nil {
			continue // refused, which is fine too
		}
		if o, err := d.NewMapper().Map(body, contentType("")); strings.Contains(fmt.Sprint(o, err), secret) {
			t.Errorf("%s: %+v, %v", when, o, err)
		}
	}
}

// TestHiddenBodiesAreNotQuoted: where a body cannot be read, nothing of it is shown.
func TestHiddenBodiesAreNotQuoted(t *testing.T) {
	d := marked(t, "sensitive: [body.who]", markedMapping)
	for _, body := range []string{secret, `{"who":{"` + secret + `":1,"` + secret + `":2}}`, `{"type":"t","who":"` + secret, "payload=" + secret} {
		for _, ct := range []string{"", formType} {
			_, err := d.NewMapper().Map([]byte(body), contentType(ct))
			if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "CANARY") {
				t.Errorf("%s: %v", body, err)
			}
			if shown, n := d.Mask([]byte(body), contentType(ct)); n != MaskedWhole || string(shown) != "[masked]" {
				t.Errorf("%s is shown as %s, %d", body, shown, n)
			}
		}
	}
}

func TestMask(t *testing.T) {
	d := marked(t, `sensitive: [body.user.email, 'body["e-mail"]', "body.list[*].name", data.title, body.user]`+"\nredact: [body.token]", markedMapping)
	hash := `"` + hashed("x") + `"`
	for body, want := range map[string]string{
		`{"type":"t"}`: `{"type":"t"}`,
		"{ \"user\" :\t{\"email\":\"a\"} , \"z\":1.50 }":          "{ \"user\" :\t\"[masked]\" , \"z\":1.50 }",
		`{"e-mail":{"a":[1,2]},"a":"é"}`:                          `{"e-mail":"[masked]","a":"é"}`,
		`{"list":[{"name":1},{"n":2},{"name":true,"b":0}]}`:       `{"list":[{"name":"[masked]"},{"n":2},{"name":"[masked]","b":0}]}`,
		`{"list":{"k":{"name":"a"}}}`:                             `{"list":{"k":{"name":"[masked]"}}}`,
		`{"data":{"title":"a"},"payload":{"data":{"title":"b"}}}`: `{"data":{"title":"[masked]"},"payload":{"data":{"title":"[masked]"}}}`,
		`{"e-mail":null,"user":""}`:                               `{"e-mail":null,"user":""}`,
		`{"us\u0065r":"a"}`:                                       `{"us\u0065r":"[masked]"}`,
		`{"token":"clear"}`:                                       `{"token":"[masked]"}`,
		`{"token":` + hash + `}`:                                  `{"token":` + hash + `}`,
		`{"token":"redacted:hmac-sha256:x"}`:                      `{"token":"[masked]"}`,
		"\xEF\xBB\xBF{\"user\":\"a\"}":                            "\xEF\xBB\xBF{\"user\":\"[masked]\"}",
	} {
		if shown, _ := d.Mask([]byte(body), contentType("")); string(shown) != want {
			t.Errorf("%s is shown as %s, want %s", body, shown, want)
		}
		form := "a=%41&payload=" + url.QueryEscape(body) + "&b=c+d"
		if shown, _ := d.Mask([]byte(form), contentType(formType)); string(shown) != "a=%41&payload="+url.QueryEscape(want)+"&b=c+d" {
			t.Errorf("%s is shown as %s", form, shown)
		}
	}
	if shown, n := marked(t, "", markedMapping).Mask([]byte("any\x00thing"), nil); n != 0 || string(shown) != "any\x00thing" {
		t.Errorf("a definition that hides nothing masked: %s", shown)
	}
}

// TestHiding: a definition that is tried shows no more than the one in force.
func TestHiding(t *testing.T) {
	inForce := marked(t, "sensitive: [body.who]", markedMapping)
	tried := marked(t, "", markedMapping+"rules: [{name: r, set: {}, reason: body.who, code: body.code}]")
	body := []byte(`{"type":"t","connection":"c","who":"` + secret + `","code":"E1"}`)
	if o, err := tried.NewMapper().Map(body, contentType("")); err != nil || o.Detail.Reason != secret {
		t.Fatal(o, err)
	}
	if o, err := tried.Hiding(inForce).NewMapper().Map(body, contentType("")); err != nil || o.Detail.Reason != "[masked]" || o.Detail.Code != "E1" {
		t.Error(o, err)
	}
	if tried.Hides() || tried.Hiding(nil) != tried || tried.Hiding(tried) != tried {
		t.Error("hiding changes the definition itself, or copies for nothing")
	}
}
