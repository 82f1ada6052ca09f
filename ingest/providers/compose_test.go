package providers

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestCompose: the mapping finds in the body what was put into it.
func TestCompose(t *testing.T) {
	at := time.Date(2026, 3, 14, 9, 26, 53, 589_000_000, time.UTC)
	for _, name := range []string{"makini", "standard-webhooks"} {
		d, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, data := range []string{"", `{"reason":"firewall","n":9007199254740993}`, "{}"} {
			s := Sample{ID: "evt_1", Type: "connection.offline", Connection: "conn\n\"42\"", OccurredAt: at}
			if data != "" {
				s.Data = []byte(data)
			}
			body, err := d.Compose(s)
			if err != nil {
				t.Fatal(err)
			}
			// What the mapping reads from no place that can be written to stays empty.
			wantID, wantAt := "", time.Time{}
			idHeader := ""
			if len(d.mapping.id) > 0 && d.mapping.id[0].path.root == rootHeaders {
				idHeader = d.mapping.id[0].path.names[0]
			}
			if _, ok := composePlace(d.mapping.id, nil); ok || idHeader != "" {
				wantID = s.ID
			}
			if _, ok := composePlace(d.mapping.occurredAt, nil); ok {
				wantAt = at
			}
			o, err := d.NewMapper().Map(body, func(h string) string {
				if h == idHeader {
					return s.ID
				}
				return ""
			})
			if err != nil || o.DeliveryID != wantID || o.Type != s.Type || o.Connection != s.Connection || !o.OccurredAt.Equal(wantAt) {
				t.Errorf("%s: %s: %+v, %v", name, body, o, err)
			}
			if strings.Contains(data, "firewall") && (o.Rule != "" && o.Detail.Reason != "firewall" || !strings.Contains(string(body), `"n":9007199254740993`)) {
				t.Errorf("%s: %s: %+v", name, body, o)
			}
		}
	}
	body, err := makini(t).Compose(Sample{ID: "e", Type: "t", Connection: "c", Data: []byte("[1, 2]")})
	if err != nil || string(body) != `{"data":[1, 2],"id":"e","event_type":"t","connection_id":"c"}` {
		t.Errorf("%s, %v", body, err)
	}
	seconds := mapped(t, "type: body.t\nconnection: body.c.id\noccurred_at: body.at\ntime_unit: s")
	body, err = seconds.Compose(Sample{Type: "t", Connection: "c", OccurredAt: at})
	if err != nil || string(body) != `{"t":"t","at":1773480413,"c":{"id":"c"}}` {
		t.Errorf("%s, %v", body, err)
	}
}

func TestComposeErrors(t *testing.T) {
	standard, err := Load("standard-webhooks")
	if err != nil {
		t.Fatal(err)
	}
	plain := mapped(t, "type: body.t\nconnection: 'body.a + body.b'")
	cases := []struct {
		d    *Definition
		s    Sample
		want string
	}{
		{plain, Sample{Type: "t", Connection: "c"}, "mapping.connection has no plain path"},
		{plain, Sample{Type: "t", Data: []byte("{}")}, "knows no data"},
		{makini(t), Sample{Type: "t", Connection: "c", Data: []byte(`{"a":1,"a":2}`)}, "not valid JSON"},
		{makini(t), Sample{Type: "t\xff", Connection: "c"}, "UTF-8"},
		{standard, Sample{Type: "t", Connection: "c", Data: []byte(`[]`)}, "have to be a value and hold others"},
		{standard, Sample{Type: "t", Connection: "c", Data: []byte(`{"connection_id":"x"}`)}, "taken by the data"},
	}
	for _, c := range cases {
		body, err := c.d.Compose(c.s)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %v, want %q", body, err, c.want)
		}
	}
}

// TestVerifierConcurrently uses one verifier and one definition from many goroutines, for the race detector.
func TestVerifierConcurrently(t *testing.T) {
	d := makini(t)
	now := time.Unix(1773480413, 0)
	v := verifier(t, d, "older", "s")
	done := make(chan error)
	for i := range 8 {
		go func() {
			m := d.NewMapper()
			var err error
			for j := range 200 {
				body := []byte(strings.Repeat(" ", i*j%50) + body600)
				header, signErr := d.Sign(NewSecret("s"), "", now, body)
				_, verifyErr := v.Verify(Request{Header: header, Body: body}, now)
				_, mapErr := m.Map(body, nil)
				err = errors.Join(err, signErr, verifyErr, mapErr)
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}
