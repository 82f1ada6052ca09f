package providers

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzFixtures: whatever becomes of a fixture on its way, the definition reads an
// observation that can be placed, or says why it cannot.
func FuzzFixtures(f *testing.F) {
	definitions := map[string]*Definition{}
	for _, name := range Builtin() {
		d, err := Load(name)
		if err != nil {
			f.Fatal(err)
		}
		definitions[name] = d
		fixtures, err := BuiltinFixtures(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, x := range fixtures.List {
			headers := x.Headers
			if x.Form {
				headers += "Content-Type: application/x-www-form-urlencoded\n"
			}
			f.Add(name, x.Body, headers)
		}
	}
	f.Fuzz(func(t *testing.T, name string, body []byte, headers string) {
		x := Fixture{Body: body, Headers: headers}
		if d := definitions[name]; d != nil {
			mapAnything(t, d, &x)
			return
		}
		for _, d := range definitions { // a mutant of the name
			mapAnything(t, d, &x)
		}
	})
}

// mapAnything maps the fixture as a sender sends it and as it is stored, which differs where the definition redacts.
func mapAnything(t *testing.T, d *Definition, x *Fixture) {
	header := x.Header().Get
	for _, body := range [][]byte{x.Body, d.AsStored(x.Body, header)} {
		o, err := d.NewMapper().Map(body, header)
		checkAnything(t, d, o, err)
		m := d.NewMapper()
		_, _ = m.Map([]byte(`{"event_type":"x","connection_id":"y"}`), header)
		again, errAgain := m.Map(bytes.Clone(body), header)
		if got, want := Describe(again, errAgain), Describe(o, err); got != want {
			t.Fatalf("%s depends on what came before:\n%s\nand\n%s", d.Name(), want, got)
		}
	}
}

func checkAnything(t *testing.T, d *Definition, o Observation, err error) {
	if err != nil {
		var u *Unplaceable
		if !errors.As(err, &u) || u.Code == "" || u.Detail == "" {
			t.Fatalf("%s: no reason in %v", d.Name(), err)
		}
		return
	}
	texts := []string{o.Connection, o.Type, o.DeliveryID, o.Detail.Reason, o.Detail.Code, o.Detail.Message, o.Detail.RequestID}
	for i, most := range []int{MaxID, MaxType, MaxID, MaxDetail, MaxDetail, MaxDetail, MaxDetail} {
		if len(texts[i]) > most || !utf8.ValidString(texts[i]) {
			t.Fatalf("%s: %q", d.Name(), texts[i])
		}
	}
	if o.Connection == "" || o.Type == "" {
		t.Fatalf("%s cannot be placed: %+v", d.Name(), o)
	}
	if o.OccurredAt.Location() != time.UTC || o.Detail.ExpiresAt.Location() != time.UTC {
		t.Fatalf("%s: %v, %v are not UTC", d.Name(), o.OccurredAt, o.Detail.ExpiresAt)
	}
	if o.Rule != "" && !slices.Contains(d.RulesWithout(nil), o.Rule) {
		t.Fatalf("%s has no rule %q", d.Name(), o.Rule)
	}
}
