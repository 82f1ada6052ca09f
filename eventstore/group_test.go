package eventstore_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/storetest"
)

// TestGroupRoundTrip holds any events against the codec, with one decoder and one
// group used over and over, as a reader does.
func TestGroupRoundTrip(t *testing.T) {
	var d eventstore.Decoder
	var g eventstore.Group
	rapid.Check(t, func(t *rapid.T) {
		id := ulid.ULID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		events := rapid.SliceOfN(storetest.AnyEvent(), 1, 12).Draw(t, "events")
		msg, err := eventstore.AppendGroup(nil, id, events)
		if err != nil {
			t.Fatal(err)
		}
		bound := eventstore.GroupOverhead
		for i := range events {
			bound += eventstore.EncodedSize(&events[i])
		}
		if len(msg) > bound {
			t.Fatalf("the message has %d bytes, more than its bound of %d", len(msg), bound)
		}
		if err := d.Decode(msg, &g); err != nil {
			t.Fatal(err)
		}
		if g.ID != id || g.Size != len(msg) || len(g.Events) != len(events) {
			t.Fatalf("decoded id %s, size %d, %d events; want %s, %d, %d", g.ID, g.Size, len(g.Events), id, len(msg), len(events))
		}
		for i := range events {
			if diff := storetest.Diff(g.Events[i], events[i]); diff != "" {
				t.Fatalf("event %d: %s", i, diff)
			}
		}
		again, err := eventstore.AppendGroup(nil, g.ID, g.Events)
		if err != nil || !slices.Equal(again, msg) {
			t.Fatalf("encoded again (%v):\n%q\nwant\n%q", err, again, msg)
		}
	})
}

func TestDecodeReusesItsMemory(t *testing.T) {
	want := benchEvents()
	msg, err := eventstore.AppendGroup(nil, ulid.ULID{9}, want)
	if err != nil {
		t.Fatal(err)
	}
	var d eventstore.Decoder
	var g eventstore.Group
	allocs := testing.AllocsPerRun(10, func() {
		if err := d.Decode(msg, &g); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("decoding %d events again allocated %v times", len(want), allocs)
	}
	if g.ID != (ulid.ULID{9}) || g.Size != len(msg) || !reflect.DeepEqual(g.Events, want) {
		t.Errorf("decoded %+v", g)
	}
}

// TestDecodeForgetsNamesWhenTheyAreMany shows that a log with ever new names
// does not grow the decoder, and still decodes right.
func TestDecodeForgetsNamesWhenTheyAreMany(t *testing.T) {
	var d eventstore.Decoder
	var g eventstore.Group
	for i := range 10_000 {
		e := storetest.Sample(0)
		e.Source = "s" + ulid.ULID{15: byte(i), 14: byte(i >> 8)}.String()
		e.Source = strings.ToLower(e.Source)
		msg, err := eventstore.AppendGroup(nil, ulid.ULID{1}, []eventstore.Event{e})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Decode(msg, &g); err != nil {
			t.Fatal(err)
		}
		if g.Events[0].Source != e.Source {
			t.Fatalf("source %q, want %q", g.Events[0].Source, e.Source)
		}
	}
}

func TestAppendGroupKeepsWhatIsInFront(t *testing.T) {
	alone, err := eventstore.AppendGroup(nil, ulid.ULID{1}, storetest.Samples(3))
	if err != nil {
		t.Fatal(err)
	}
	behind, err := eventstore.AppendGroup([]byte("in front"), ulid.ULID{1}, storetest.Samples(3))
	if err != nil || string(behind) != "in front"+string(alone) {
		t.Errorf("behind other bytes (%v): %q", err, behind)
	}
}

// TestAppendGroupWritesUTC shows that a time of any zone is written as the same instant in UTC.
func TestAppendGroupWritesUTC(t *testing.T) {
	e := storetest.Sample(0)
	e.ReceivedAt = time.Date(2026, 3, 1, 1, 30, 0, 5, time.FixedZone("", 2*60*60))
	msg, err := eventstore.AppendGroup(nil, ulid.ULID{1}, []eventstore.Event{e})
	if err != nil || !strings.Contains(string(msg), " 2026-02-28T23:30:00.000000005Z ") {
		t.Errorf("written (%v) as\n%s", err, msg)
	}
}

// TestAppendGroupRefuses lists what has no place in the format, and holds
// that nothing of it is written.
func TestAppendGroupRefuses(t *testing.T) {
	header := func(name, value string) func(*eventstore.Event) {
		return func(e *eventstore.Event) {
			e.Headers = []eventstore.Header{{Name: "A", Value: "b"}, {Name: name, Value: value}}
		}
	}
	cases := map[string]struct {
		spoil func(*eventstore.Event)
		says  string
	}{
		"no source":         {func(e *eventstore.Event) { e.Source = "" }, "source"},
		"upper case source": {func(e *eventstore.Event) { e.Source = "Makini" }, "source"},
		"source with space": {func(e *eventstore.Event) { e.Source = "a b" }, "source"},
		"source from dash":  {func(e *eventstore.Event) { e.Source = "-a" }, "source"},
		"long source":       {func(e *eventstore.Event) { e.Source = strings.Repeat("a", 65) }, "source"},
		"no scheme":         {func(e *eventstore.Event) { e.Verified = "" }, "scheme"},
		"scheme with LF":    {func(e *eventstore.Event) { e.Verified = "a\n" }, "scheme"},
		"year 10000":        {func(e *eventstore.Event) { e.ReceivedAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "year"},
		"year -1":           {func(e *eventstore.Event) { e.ReceivedAt = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) }, "year"},
		"no header name":    {header("", "v"), "header name"},
		"name with colon":   {header("a:", "v"), "header name"},
		"name with space":   {header("a b", "v"), "header name"},
		"name with LF":      {header("a\nb", "v"), "header name"},
		"name not ASCII":    {header("é", "v"), "header name"},
		"value with LF":     {header("B", "secret\n"), "header B"},
		"value with CR":     {header("B", "secret\r"), "header B"},
		"value with NUL":    {header("B", "secret\x00"), "header B"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			events := storetest.Samples(2)
			c.spoil(&events[1])
			dst, err := eventstore.AppendGroup([]byte("before"), ulid.ULID{1}, events)
			if !errors.Is(err, eventstore.ErrInvalid) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "event 1 of 2") {
				t.Errorf("error %v, want ErrInvalid on event 1 that names the %s", err, c.says)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows a header's value: %v", err)
			}
			if string(dst) != "before" {
				t.Errorf("dst is %q afterwards", dst)
			}
		})
	}
	t.Run("no events", func(t *testing.T) {
		if _, err := eventstore.AppendGroup(nil, ulid.ULID{1}, nil); !errors.Is(err, eventstore.ErrInvalid) {
			t.Errorf("error %v, want ErrInvalid", err)
		}
	})
}
