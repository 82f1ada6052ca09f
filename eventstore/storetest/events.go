package storetest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// epoch is the time of Sample(0).
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Sample returns the i-th sample event, the same at every call: ids and
// times grow with i, and the shapes take turns (plain JSON, binary, empty, headers, a body
// that looks like the log's own format).
func Sample(i int) eventstore.Event {
	at := epoch.Add(time.Duration(i) * 1_234_567 * time.Nanosecond)
	e := eventstore.Event{
		ID: NewID(at, uint64(i)), Source: "makini-prod", Verified: "hmac", ReceivedAt: at,
		Headers: []eventstore.Header{{Name: "Content-Type", Value: "application/json"}},
		Body:    fmt.Appendf(nil, `{"id":"evt_%d","type":"sync.completed","connection_id":"conn_%d"}`, i, i%7),
	}
	switch i % 5 {
	case 1:
		e.Source, e.Verified, e.Headers = "raw_2", "none", nil
		e.Body = binary.BigEndian.AppendUint64([]byte("\x00\xff\r\n\x80 \n\n"), uint64(i))
	case 2:
		e.Headers, e.Body = nil, []byte{}
	case 3:
		e.Headers = []eventstore.Header{
			{Name: "Webhook-Id", Value: fmt.Sprintf("msg_%d", i)},
			{Name: "X-Empty", Value: ""},
			{Name: "X-Odd", Value: " : spaces\tand caf\xe9 "},
			{Name: "X-Odd", Value: "twice"},
		}
	case 4:
		e.ReceivedAt = at.Truncate(time.Second)
		e.ID = NewID(e.ReceivedAt, uint64(i))
		e.Body = fmt.Appendf(nil, "tidemark-group/1 %s 1 0000000000000000\n0000000000000000 webhook %s a none x 0 0\n\n", e.ID, e.ID)
	}
	return e
}

// Samples returns Sample(0) to Sample(n-1).
func Samples(n int) []eventstore.Event {
	events := make([]eventstore.Event, n)
	for i := range events {
		events[i] = Sample(i)
	}
	return events
}

// NewID returns the id of the n-th event received at that time.
func NewID(at time.Time, n uint64) ulid.ULID {
	var id ulid.ULID
	_ = id.SetTime(ulid.Timestamp(at)) // only a time past the year 10889 fails
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

// AnyEvent draws an event that the log's format can hold: any names, headers and
// bytes, any time from 1970 to 9999.
func AnyEvent() *rapid.Generator[eventstore.Event] {
	name := rapid.StringMatching(`[a-z0-9][a-z0-9_-]{0,63}`)
	header := rapid.Custom(func(t *rapid.T) eventstore.Header {
		value := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "value")
		return eventstore.Header{
			Name:  rapid.StringMatching(`[A-Za-z0-9!#$%&'*+.^_|~-]{1,20}`).Draw(t, "name"),
			Value: strings.NewReplacer("\r", "?", "\n", "?", "\x00", "?").Replace(string(value)),
		}
	})
	return rapid.Custom(func(t *rapid.T) eventstore.Event {
		seconds := rapid.Int64Range(0, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()).Draw(t, "seconds")
		unit := rapid.SampledFrom([]int64{1, 1_000, 1_000_000, 1_000_000_000}).Draw(t, "unit")
		nanos := rapid.Int64Range(0, 1_000_000_000/unit-1).Draw(t, "fraction") * unit
		at := time.Unix(seconds, nanos).UTC()
		return eventstore.Event{
			ID: NewID(at, rapid.Uint64().Draw(t, "n")), Source: name.Draw(t, "source"), Verified: name.Draw(t, "verified"), ReceivedAt: at,
			Headers: rapid.SliceOfN(header, 0, 5).Draw(t, "headers"),
			Body:    rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "body"),
		}
	})
}

// Diff says what differs between two events, "" where they are equal. A nil and an
// empty Body or Headers are the same; a time has to be the same instant in UTC.
func Diff(got, want eventstore.Event) string {
	switch {
	case got.ID != want.ID:
		return fmt.Sprintf("id %s, want %s", got.ID, want.ID)
	case got.Source != want.Source:
		return fmt.Sprintf("%s: source %q, want %q", want.ID, got.Source, want.Source)
	case got.Verified != want.Verified:
		return fmt.Sprintf("%s: verified %q, want %q", want.ID, got.Verified, want.Verified)
	case !got.ReceivedAt.Equal(want.ReceivedAt) || got.ReceivedAt.Location() != time.UTC:
		return fmt.Sprintf("%s: received_at %v, want %v", want.ID, got.ReceivedAt, want.ReceivedAt)
	case !slices.Equal(got.Headers, want.Headers):
		return fmt.Sprintf("%s: headers %q, want %q", want.ID, got.Headers, want.Headers)
	case !bytes.Equal(got.Body, want.Body):
		return fmt.Sprintf("%s: body of %d bytes %.200q, want %d bytes %.200q", want.ID, len(got.Body), got.Body, len(want.Body), want.Body)
	}
	return ""
}

// Clone returns a copy of the event that shares no memory with it, for a test that
// keeps what a cursor lent it.
func Clone(e eventstore.Event) eventstore.Event {
	e.Body = bytes.Clone(e.Body)
	e.Headers = slices.Clone(e.Headers)
	for i, h := range e.Headers {
		e.Headers[i].Value = strings.Clone(h.Value)
	}
	return e
}
