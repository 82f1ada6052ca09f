package providers

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"sync"
	"testing"
)

const redactKey = "0123456789abcdef0123456789abcdef"

// hashed is computed by the words of docs/PROVIDERS.md.
func hashed(text string) string {
	m := hmac.New(sha256.New, []byte(redactKey))
	m.Write([]byte(text))
	return "redacted:hmac-sha256:" + hex.EncodeToString(m.Sum(nil))[:32]
}

// redactor is the definition's, under redactKey.
func (d *Definition) redactor(t testing.TB) *Redactor {
	t.Helper()
	r := d.NewRedactor([]byte(redactKey))
	if r == nil {
		t.Fatal("no redactor")
	}
	return r
}

const plenty = 1 << 20

// TestRedact: the values at the paths are hashes, and every other byte is as it was.
func TestRedact(t *testing.T) {
	d := marked(t, `redact: [body.token, "body.users[*].email", data.title, body.users_by_id]`, markedMapping)
	r := d.redactor(t)
	for body, want := range map[string]struct {
		out string
		n   int
	}{
		`{"type":"t"}`: {`{"type":"t"}`, 0},
		"{ \"token\" :\t\"tök\" ,\"z\":1.50e3}\n":   {"{ \"token\" :\t\"" + hashed("tök") + "\" ,\"z\":1.50e3}\n", 1},
		`{"token":"t\u00f6\u006b"}`:                 {`{"token":"` + hashed("tök") + `"}`, 1},
		`{"token":12.50}`:                           {`{"token":"` + hashed("12.50") + `"}`, 1},
		`{"token":{"a": [1]}}`:                      {`{"token":"` + hashed(`{"a": [1]}`) + `"}`, 1},
		`{"token":null,"data":{"title":""}}`:        {`{"token":null,"data":{"title":""}}`, 0},
		`{"users":[{"email":"a"},{"email":"a"},7]}`: {`{"users":[{"email":"` + hashed("a") + `"},{"email":"` + hashed("a") + `"},7]}`, 2},
		`{"data":{"title":"x"},"token":true}`:       {`{"data":{"title":"` + hashed("x") + `"},"token":"` + hashed("true") + `"}`, 2},
		`{"token":"` + hashed("x") + `"}`:           {`{"token":"` + hashed(hashed("x")) + `"}`, 1}, // a sender's word is not taken for it
		`"scalar"`:                                  {`"scalar"`, 0},
	} {
		out, n := r.Redact([]byte("kept"), []byte(body), plenty, contentType(""))
		if string(out) != "kept"+want.out || n != want.n {
			t.Errorf("%s became %s (%d), want %s", body, out, n, want.out)
		}
		form := "x=%zz&p%61yload=" + strings.ToLower(url.QueryEscape(body)) + "&tail"
		out, n = r.Redact(nil, []byte(form), plenty, contentType(formType))
		inside, err := formValue(nil, out, "payload")
		if err != nil || string(inside) != strings.ToLower(want.out) && string(inside) != want.out || n != want.n ||
			!bytes.HasPrefix(out, []byte("x=%zz&p%61yload=")) || !bytes.HasSuffix(out, []byte("&tail")) {
			if !strings.Contains(body, "\\u") && !strings.ContainsAny(body, "E") {
				t.Errorf("%s became %s (%d), %v", form, out, n, err)
			}
		}
	}
	other, _ := d.NewRedactor([]byte("another key")).Redact(nil, []byte(`{"token":"a"}`), plenty, contentType(""))
	if strings.Contains(string(other), hashed("a")) {
		t.Error("the hash does not depend on the key")
	}
}

// TestRedactedForm: only the value's own escapes change in a form.
func TestRedactedForm(t *testing.T) {
	r := marked(t, "redact: [body.token]", markedMapping).redactor(t)
	out, n := r.Redact(nil, []byte("payload={%22token%22:+%22a%20b%22,%22x%22:%22%7e~%22}"), plenty, contentType(formType))
	if want := "payload={%22token%22:+" + url.QueryEscape(`"`+hashed("a b")+`"`) + ",%22x%22:%22%7e~%22}"; n != 1 || string(out) != want {
		t.Errorf("%d, %s\nwant %s", n, out, want)
	}
}

// TestRedactedWhole: a body in which the fields cannot be found is not stored in clear, and
// its event is quarantined with a reason that says so.
func TestRedactedWhole(t *testing.T) {
	d := marked(t, "redact: [body.token]", markedMapping)
	r := d.redactor(t)
	for body, ct := range map[string]string{
		"token=" + secret:                        "",
		`{"token":"` + secret:                    "",
		`{"token":"` + secret + `","token":"b"}`: "",
		"":                                       "",
		"other=" + secret:                        formType,
		"payload=%7B&payload=" + secret:          formType,
		"payload=%zz" + secret:                   formType,
		`{"token": "` + secret + `"}`:            formType,
	} {
		out, n := r.Redact(nil, []byte(body), plenty, contentType(ct))
		if n != RedactedWhole || string(out) != hashed(body) {
			t.Errorf("%s became %s (%d)", body, out, n)
		}
		for _, reader := range []*Definition{d, marked(t, "", markedMapping)} {
			if _, err := reader.NewMapper().Map(out, contentType(ct)); err == nil || !strings.HasPrefix(err.Error(), "not_json: the body could not be read when it was received") {
				t.Errorf("%s: %v", out, err)
			}
		}
		if shown, n := d.Mask(out, contentType(ct)); n != 0 || !bytes.Equal(shown, out) {
			t.Errorf("a hash is masked: %s", shown)
		}
	}
	many := `{"users":[` + strings.TrimSuffix(strings.Repeat(`{"email":"a"},`, 10_000), ",") + `]}`
	if out, n := marked(t, `redact: ["body.users[*].email"]`, markedMapping).redactor(t).Redact(nil, []byte(many), 200_000, contentType("")); n != RedactedWhole || len(out) > 100 {
		t.Errorf("%d bytes grew to %d", len(many), len(out))
	}
}

// TestMappingOfRedacted: hashes are texts like others, equal where the values are; what was stored
// in clear before the definition redacted it is not shown.
func TestMappingOfRedacted(t *testing.T) {
	d := marked(t, "redact: [body.token, body.note]", "type: body.type\nconnection: body.token\nform_field: payload\nrules: [{name: r, set: {}, reason: body.note}]")
	r := d.redactor(t)
	for range 2 {
		out, n := r.Redact(nil, []byte(`{"type":"t","token":"a","note":"b"}`), plenty, contentType(""))
		o, err := d.NewMapper().Map(out, contentType(""))
		if n != 2 || err != nil || o.Connection != hashed("a") || o.Detail.Reason != hashed("b") {
			t.Errorf("%d, %+v, %v", n, o, err)
		}
	}
	if o, err := d.NewMapper().Map(d.AsStored([]byte(`{"type":"t","token":"a","note":"b"}`), contentType("")), contentType("")); err != nil || !isRedacted([]byte(o.Connection)) || o.Connection == hashed("a") {
		t.Errorf("tried on what is sent: %+v, %v", o, err)
	}
	if _, err := d.NewMapper().Map([]byte(`{"type":"t","token":"`+secret+`"}`), contentType("")); err == nil || !strings.HasPrefix(err.Error(), CodeSensitive) || strings.Contains(err.Error(), secret) {
		t.Errorf("an id that is stored in clear: %v", err)
	}
	if o, err := d.NewMapper().Map([]byte(`{"type":"t","token":"`+hashed("x")+`","note":"`+secret+`"}`), contentType("")); err != nil || o.Detail.Reason != "[masked]" {
		t.Errorf("a reason that is stored in clear: %+v, %v", o, err)
	}
}

func TestRedactorIsShared(t *testing.T) {
	r := marked(t, "redact: [body.token]", markedMapping).redactor(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			value := strings.Repeat(string(rune('a'+i)), 1+100*i)
			for range 200 {
				if out, _ := r.Redact(nil, []byte(`{"token":"`+value+`"}`), plenty, contentType("")); string(out) != `{"token":"`+hashed(value)+`"}` {
					t.Errorf("%s", out)
					return
				}
			}
		})
	}
	wg.Wait()
}

// FuzzRedact: whatever the body, the marked values are gone, the rest is as it was, and Mask agrees.
func FuzzRedact(f *testing.F) {
	f.Add([]byte(`{"token":"a","list":[{"name":"b"},{"name":[1]}]}`), false)
	f.Add([]byte(`payload=%7B%22token%22%3A1%7D`), true)
	f.Add([]byte(`{"token":{"token":"\ud83d\ude00"},"list":{"x":{"name":null}}}`), false)
	paths := `[body.token, "body.list[*].name"]`
	d := marked(f, "redact: "+paths, markedMapping)
	s := marked(f, "sensitive: "+paths, markedMapping)
	r := d.redactor(f)
	f.Fuzz(func(t *testing.T, body []byte, form bool) {
		ct := contentType("")
		if form {
			ct = contentType(formType)
		}
		out, n := r.Redact(nil, body, 1<<30, ct)
		shown, m := s.Mask(body, ct)
		if n != m && !(isRedacted(body) && m == 0) {
			t.Fatalf("%d values are redacted and %d masked in %q", n, m, body)
		}
		if n == RedactedWhole {
			return
		}
		was, is, mask := document2(t, body, form), document2(t, out, form), document2(t, shown, form)
		if got, want := outline(is), outline(was); got != want {
			t.Fatalf("%s became %s", want, got)
		}
		if got, want := outline(mask), outline(was); got != want {
			t.Fatalf("%s is shown as %s", want, got)
		}
	})
}

// document2 is the document of a body, as encoding/json reads it.
func document2(t *testing.T, body []byte, form bool) (v any) {
	if form {
		var err error
		if body, err = formValue(nil, body, "payload"); err != nil {
			t.Fatal(err)
		}
	}
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF"))))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	return v
}

// outline is a document with every hidden value blanked.
func outline(v any) string {
	blank := func(o map[string]any, name string) {
		if x, there := o[name]; there && x != nil && x != "" {
			o[name] = "hidden"
		}
	}
	if o, ok := v.(map[string]any); ok {
		blank(o, "token")
		var elements []any
		switch l := o["list"].(type) {
		case []any:
			elements = l
		case map[string]any:
			for _, e := range l {
				elements = append(elements, e)
			}
		}
		for _, e := range elements {
			if e, ok := e.(map[string]any); ok {
				blank(e, "name")
			}
		}
	}
	b, _ := json.Marshal(v)
	return string(b)
}

func BenchmarkRedact(b *testing.B) {
	r := marked(b, "redact: [body.token]", markedMapping).redactor(b)
	body := []byte(`{"type":"t","token":"secret","fill":"` + strings.Repeat("x", 500) + `"}`)
	var out []byte
	ct := contentType("application/json")
	b.ReportAllocs()
	for b.Loop() {
		out, _ = r.Redact(out[:0], body, plenty, ct)
	}
}
