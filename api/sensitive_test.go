package api

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/generations"
)

const (
	hush  = "CANARY-51ab" // what must not be shown
	token = "redacted:hmac-sha256:000102030405060708090a0b0c0d0e0f"
)

const hushing = `
name: hushing
signature: {scheme: none}
sensitive: [body.who, 'body.list[*].name']
redact: [body.token]
mapping:
  type: body.type
  id: body.id
  connection: body.connection
  rules:
    - {name: r, when: 'body.who == "` + hush + `"', set: {auth: required}, reason: '"for " + body["w" + "ho"]', code: body.code}
`

// newHushRig is a rig whose source makini hides fields; the events are applied.
func newHushRig(t *testing.T, events ...eventstore.Event) *rig {
	t.Helper()
	d, err := providers.Parse("hushing.yaml", []byte(hushing))
	if err != nil {
		t.Fatal(err)
	}
	var set *generations.Set
	r := newRig(t, func(o *Options) {
		set, err = generations.Open(generations.Options{
			Root: t.TempDir(), Log: o.Log, Definitions: map[string]*providers.Definition{"makini": d}, OnChange: generations.Off,
			Now: time.Now, Logger: slog.New(slog.DiscardHandler), Fatal: func(path string, err error) { panic(fmt.Sprint(path, err)) },
		})
		if err != nil {
			t.Fatal(err)
		}
		o.View, o.Rebuilds = set.View, set
	})
	for _, e := range events {
		r.store(e)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- set.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	})
	deadline := time.After(patience)
	for get200[Stats](r, "/v1/stats").Checkpoint < uint64(len(events)) {
		select {
		case <-deadline:
			t.Fatal("the events are not applied")
		case <-time.After(time.Millisecond):
		}
	}
	return r
}

// TestRawIsMasked: every byte of a body is shown as it came but what the definition in force hides, and
// the answer says how much that is.
func TestRawIsMasked(t *testing.T) {
	none := &rig{t: t}
	at := func(n int, source, body string, headers ...eventstore.Header) eventstore.Event {
		e := none.event(time.Duration(n)*time.Second, body)
		e.Source, e.Headers = source, headers
		return e
	}
	mark := eventstore.Header{Name: eventstore.RedactedHeader, Value: "1"}
	cases := []struct {
		event        eventstore.Event
		shown, count string
	}{
		{at(1, "makini", ` {"type":"a", "connection":"c", "n":1.0}`), ` {"type":"a", "connection":"c", "n":1.0}`, ""},
		{at(2, "makini", `{"type":"a","connection":"c","who":"`+hush+`","list":[{"name":["`+hush+`"]}],"code":"E"}`), `{"type":"a","connection":"c","who":"[masked]","list":[{"name":"[masked]"}],"code":"E"}`, "2"},
		{at(3, "makini", `{"type":"a","connection":"c","token":"`+hush+`"}`), `{"type":"a","connection":"c","token":"[masked]"}`, "1"},
		{at(4, "makini", `{"type":"a","connection":"c","token":"`+token+`"}`, mark), `{"type":"a","connection":"c","token":"` + token + `"}`, ""},
		{at(5, "makini", `{"who":"`+hush), `[masked]`, "body"},
		{at(6, "makini", token, mark), token, ""},
		{at(7, "removed", `{"who":"`+hush+`"}`), "[masked] Source \"removed\" is not configured, so nothing says what is sensitive in this body, and none of it is shown. " +
			"Configure the source again with its provider to see it.\n", "body"},
	}
	var events []eventstore.Event
	for i := range cases {
		events = append(events, cases[i].event)
	}
	r := newHushRig(t, events...)
	for _, c := range cases {
		res, b := r.send("GET", "/v1/events/"+c.event.ID.String()+"/raw")
		if _, there := res.Header["Tidemark-Masked"]; res.StatusCode != 200 || b != c.shown || res.Header.Get("Tidemark-Masked") != c.count || there != (c.count != "") {
			t.Errorf("%s is shown as %d %s, Tidemark-Masked %q", c.event.Body, res.StatusCode, b, res.Header["Tidemark-Masked"])
		}
		e := get200[Event](r, "/v1/events/"+c.event.ID.String())
		if said, _ := json.Marshal(e); strings.Contains(string(said), hush) || slices.Contains(e.Flags, FlagRedacted) != c.event.Redacted() {
			t.Errorf("%s: %s", c.event.Body, said)
		}
		if e.Observation != nil && slices.Contains(e.Observation.Flags, FlagRedacted) != c.event.Redacted() {
			t.Errorf("%s: its entry has the flags %v", c.event.Body, e.Observation.Flags)
		}
	}
	line := get200[Page[Entry]](r, "/v1/connections/makini/c/events?order=asc").Items
	if len(line) != 4 || line[1].Detail.Reason != "for [masked]" || line[1].Detail.Code != "E" || !slices.Equal(line[3].Flags, []string{FlagRedacted}) {
		t.Errorf("timeline %+v", line)
	}
	if _, csv := r.send("GET", "/v1/connections/makini/c/events", "Accept: text/csv"); strings.Contains(csv, hush) || !strings.Contains(csv, ",redacted,") {
		t.Errorf("exported %s", csv)
	}
}

// TestTriedIsMasked: a definition that is tried shows nothing that the one in force hides.
func TestTriedIsMasked(t *testing.T) {
	e := (&rig{t: t}).event(0, `{"type":"a","connection":"c","who":"`+hush+`","code":"E"}`)
	r := newHushRig(t, e)
	tried, err := json.Marshal(TryRequest{Source: "makini", Definition: `
name: prying
signature: {scheme: none}
mapping:
  type: body.type
  connection: body.connection
  rules: [{name: r, set: {auth: required}, reason: body.who, code: body.code}]
`})
	if err != nil {
		t.Fatal(err)
	}
	status, b := r.post("/v1/rebuilds/try", string(tried))
	if status != 200 || strings.Contains(b, hush) || !strings.Contains(b, `"reason":"[masked]"`) || !strings.Contains(b, `"code":"E"`) {
		t.Errorf("%d %s", status, b)
	}
}
