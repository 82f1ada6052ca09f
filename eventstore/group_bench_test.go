package eventstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// benchEvents are 64 webhooks of about 600 bytes with six headers: what a busy
// server writes as one group.
func benchEvents() []eventstore.Event {
	events := make([]eventstore.Event, 64)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range events {
		body := make([]byte, 0, 700)
		body = fmt.Appendf(body, `{"id":"evt_%08d","type":"sync.completed","connection_id":"conn_%d","payload":"`, i, i*7)
		for len(body) < 600 {
			body = append(body, 'a'+byte(len(body)%26))
		}
		events[i] = eventstore.Event{
			ID: ulid.ULID{1, 2, 3, byte(i)}, Source: "makini-prod", Verified: "hmac",
			ReceivedAt: at.Add(time.Duration(i) * 123457 * time.Nanosecond),
			Headers: []eventstore.Header{
				{Name: "Content-Type", Value: "application/json"},
				{Name: "User-Agent", Value: "makini-webhooks/2.1"},
				{Name: "X-Makini-Delivery", Value: fmt.Sprintf("dlv_%010d", i)},
				{Name: "X-Makini-Timestamp", Value: "1767225600"},
				{Name: "X-Makini-Signature", Value: "sha256=6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"},
				{Name: "X-Request-Id", Value: "b5bb9d8014a0f9b1d61e21e796d78dcc"},
			},
			Body: append(body, `"}`...),
		}
	}
	return events
}

func BenchmarkEncode(b *testing.B) {
	events := benchEvents()
	var msg []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if msg, err = eventstore.AppendGroup(msg[:0], ulid.ULID{1}, events); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(msg)))
	reportEvents(b, len(events))
}

func BenchmarkDecode(b *testing.B) {
	events := benchEvents()
	msg, err := eventstore.AppendGroup(nil, ulid.ULID{1}, events)
	if err != nil {
		b.Fatal(err)
	}
	var d eventstore.Decoder
	var g eventstore.Group
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Decode(msg, &g); err != nil {
			b.Fatal(err)
		}
	}
	reportEvents(b, len(events))
}

func reportEvents(b *testing.B, perGroup int) {
	b.ReportMetric(float64(b.N)*float64(perGroup)/b.Elapsed().Seconds(), "events/s")
}
