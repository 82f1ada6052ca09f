package providers

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
)

const formMapping = `
type: body.type
id: body.id
connection: body.connection
form_field: payload
`

func contentType(value string) func(string) string {
	return func(name string) string {
		if name == "content-type" {
			return value
		}
		return ""
	}
}

// TestForm: a form gives what the same document gives as it stands, whatever stands around it.
func TestForm(t *testing.T) {
	d := mapped(t, formMapping)
	if got := d.KeepHeaders(); len(got) != 1 || got[0] != "content-type" {
		t.Fatalf("kept are %v: without the content type no form is known", got)
	}
	m := d.NewMapper()
	document := `{"type":"t + 100%","id":"ü&=;","connection":"c\n\"1\""}`
	want, err := m.Map([]byte(document), contentType("application/json"))
	if err != nil || want.Type != "t + 100%" || want.DeliveryID != "ü&=;" {
		t.Fatalf("%+v, %v", want, err)
	}
	escaped := url.QueryEscape(document)
	for name, form := range map[string]string{
		"alone":            "payload=" + escaped,
		"among others":     "a=1&payload=" + escaped + "&b=2&c",
		"escaped name":     "p%61yload=" + escaped,
		"small hex":        "payload=" + strings.ToLower(escaped),
		"empty pairs":      "&&payload=" + escaped + "&",
		"hardly escaped":   "payload=" + strings.NewReplacer("+", "%2B", "%", "%25", "&", "%26").Replace(document),
		"others are wrong": "%zz=1&payload=" + escaped + "&x=%",
	} {
		for _, ct := range []string{"application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded ; charset=UTF-8"} {
			o, err := m.Map([]byte(form), contentType(ct))
			if err != nil || o != want {
				t.Errorf("%s as %s: %+v, %v", name, ct, o, err)
			}
		}
	}
	// The field's name means nothing where the sender says JSON, and a form's bytes are no document.
	if _, err := m.Map([]byte("payload="+escaped), contentType("application/json")); err == nil {
		t.Error("a form that says it is JSON was read")
	}
}

// TestOddForms are quarantined, each with what is wrong with it.
func TestOddForms(t *testing.T) {
	m := mapped(t, formMapping).NewMapper()
	for form, want := range map[string]string{
		"":                                    `it has no field "payload"`,
		"other=1":                             `it has no field "payload"`,
		`{"type":"t"}`:                        `it has no field "payload"`,
		"payload":                             "the form's field payload is not strict JSON: at byte 0",
		"payload=%7B%7":                       "at byte 11: a '%' without two",
		"a=1&payload=%zz":                     "at byte 12: a '%' without two",
		"payload=%7B%7D&payload=%7B}":         `at byte 15: the field "payload" a second time`,
		"payload=%7B%22a":                     "the form's field payload is not strict JSON: at byte 3",
		"payload=%FF":                         "not strict JSON",
		strings.Repeat("payload", 1e5) + "=1": `it has no field "payload"`,
		strings.Repeat("x=1&", 1e5):           `it has no field "payload"`,
	} {
		_, err := m.Map([]byte(form), contentType(formType))
		var u *Unplaceable
		if !errors.As(err, &u) || u.Code != CodeNotJSON || !strings.Contains(u.Detail, want) {
			t.Errorf("%.40s: %v, want %s", form, err, want)
		}
	}
}

// TestFormIsSignedRaw: the signature is over the form as it came, and what
// Compose writes goes on being read.
func TestFormIsSignedRaw(t *testing.T) {
	d, err := Parse("test.yaml", []byte("name: test\nsignature: {scheme: hmac, header: X-Sig}\nmapping:\n"+indent(formMapping)))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1773480413, 0)
	form := []byte("payload=" + url.QueryEscape(`{"type":"t","id":"e","connection":"c"}`))
	header, err := d.Sign(NewSecret("s"), "e", now, form)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifier(t, d, "s").Verify(Request{Header: header, Body: form}, now); err != nil {
		t.Error(err)
	}
	body, err := d.Compose(Sample{ID: "e", Type: "t", Connection: "c"})
	if err != nil {
		t.Fatal(err)
	}
	o, err := d.NewMapper().Map(body, contentType("application/json"))
	if err != nil || o.Connection != "c" || o.DeliveryID != "e" {
		t.Errorf("%s: %+v, %v", body, o, err)
	}
}

func TestOnFailure(t *testing.T) {
	d, err := Parse("x", []byte(minimal+"on_failure: tries again for 24 h, then gives up\n"))
	if err != nil || d.OnFailure() != "tries again for 24 h, then gives up" {
		t.Fatal(d, err)
	}
	for value, want := range map[string]string{
		`"a\nb"`:                 "x:6:13: on_failure: must be one line",
		strings.Repeat("a", 501): "at most 500 bytes",
		"[a]":                    "must be a text",
		"{nothing: 1}":           "must be a text",
	} {
		if _, err := Parse("x", []byte(minimal+"on_failure: "+value+"\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", value, err, want)
		}
	}
}

// FuzzForm: a field is found exactly where net/url finds it, with the same value.
func FuzzForm(f *testing.F) {
	f.Add("payload=%7B%7D&a=b")
	f.Add("a=+&payload=+%2B")
	f.Add("payload&payload=1")
	f.Fuzz(func(t *testing.T, form string) {
		got, err := formValue(nil, []byte(form), "payload")
		if strings.Contains(form, ";") {
			return // which net/url refuses and browsers do not
		}
		values, wrong := url.ParseQuery(form)
		want := values["payload"]
		switch {
		case wrong == nil && len(want) == 1 && (err != nil || string(got) != want[0]):
			t.Fatalf("%q, %v; net/url has %q", got, err, want)
		case wrong == nil && len(want) != 1 && err == nil:
			t.Fatalf("%q; net/url has %q", got, want)
		}
	})
}
