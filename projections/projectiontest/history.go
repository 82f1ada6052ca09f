package projectiontest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// Start is when the histories begin.
var Start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// kinds are the contract's makini events, each with the details it may carry.
var kinds = []struct {
	name string
	data string
}{
	{"sync.completed", `{"status":"success"}`},
	{"sync.completed", `{"status":"succeeded"}`},
	{"sync.completed", `{"status":"failed","error":{"code":"RATE_LIMIT_EXCEEDED","message":"slow down","request_id":"req_1"}}`},
	{"sync.completed", `{"status":"partial"}`},
	{"sync.failed", `{"error":{"code":"AUTHENTICATION_FAILED","message":"no","request_id":"req_2"}}`},
	{"sync.failed", `{}`},
	{"sync.succeeded", `{}`},
	{"sync.started", `{}`},
	{"connection.auth_required", `{"reason":"credentials expired"}`},
	{"connection.auth_required", `{"reason":"consent withdrawn"}`},
	{"connection.status_changed", `{"status":"offline","reason":"unreachable"}`},
	{"connection.status_changed", `{"status":"online"}`},
	{"connection.status_changed", `{"status":"dreaming"}`},
	{"connection.online", `{}`},
	{"connection.offline", `{"reason":"firewall"}`},
	{"connection.created", `{}`},
	{"connection.connected", `{}`},
	{"connection.disconnected", `{}`},
	{"system.error", `{"error":{"code":"INTERNAL","message":"boom","request_id":"req_3"}}`},
	{"flow.invoice_stuck", `{"n":9007199254740993}`},
}

// Shape says what a drawn history is like. Shares are out of 100.
type Shape struct {
	Sources, Connections, Events int
	// Ties is the share of events at the time of another one, Timeless of those without
	// a time, Skewed of those from a clock that runs days ahead, Late of those months behind.
	Ties, Timeless, Skewed, Late int
	// Duplicates is the share of deliveries that are made again, Conflicts of those again with other bytes.
	Duplicates, Conflicts int
	// Broken is the share that no mapping can place.
	Broken int
	// Anonymous is the share that carries no delivery id.
	Anonymous int
}

// Messy is a history with a bit of everything.
var Messy = Shape{Sources: 2, Connections: 4, Events: 60, Ties: 20, Timeless: 5, Skewed: 5, Late: 20, Duplicates: 15, Conflicts: 30, Broken: 4, Anonymous: 10}

// Draw returns the deliveries of a history in the order in which they arrive,
// which has little to do with the order in which things happened.
func Draw(rng *rand.Rand, s Shape) []eventstore.Event {
	share := func(n int) bool { return rng.IntN(100) < n }
	var all []eventstore.Event
	last := int64(0)
	for i := range s.Events {
		at := rng.Int64N(int64(s.Events) * 1000)
		if share(s.Ties) {
			at = last
		}
		last = at
		k := kinds[rng.IntN(len(kinds))]
		body := map[string]any{
			"event_type": k.name, "connection_id": fmt.Sprintf("co/nn *%d", rng.IntN(s.Connections)),
			"data": json.RawMessage(k.data),
		}
		if !share(s.Anonymous) {
			body["id"] = fmt.Sprintf("wh_%d", i)
		}
		when := Start.Add(time.Duration(at) * time.Millisecond)
		switch {
		case share(s.Timeless):
		case share(s.Skewed):
			body["timestamp"] = when.AddDate(1, 0, 0).Format(time.RFC3339Nano)
		case share(s.Late):
			body["timestamp"] = when.AddDate(0, -2, 0).UnixMilli()
		default:
			body["timestamp"] = when.Format(time.RFC3339Nano)
		}
		raw, _ := json.Marshal(body)
		if share(s.Broken) {
			raw = raw[:len(raw)-1]
		}
		e := eventstore.Event{Source: fmt.Sprintf("src-%d", rng.IntN(s.Sources)), Verified: "hmac", Body: raw}
		all = append(all, e)
		for share(s.Duplicates) {
			again := e
			if share(s.Conflicts) {
				again.Body = append([]byte(" "), raw...)
			}
			all = append(all, again)
		}
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	// The clock of receipt starts amid the history, so that some events lie ahead of it.
	received := Start.Add(time.Duration(s.Events) * time.Second / 2)
	for i := range all {
		received = received.Add(time.Duration(rng.Int64N(int64(2 * time.Second))))
		all[i].ReceivedAt = received
		all[i].ID = newID(rng, received)
	}
	return all
}

func newID(rng *rand.Rand, at time.Time) ulid.ULID {
	var id ulid.ULID
	_ = id.SetTime(ulid.Timestamp(at))
	for i := 6; i < len(id); i++ {
		id[i] = byte(rng.Uint32())
	}
	return id
}

// Groups cuts deliveries into commit groups of at most most events.
func Groups(rng *rand.Rand, events []eventstore.Event, most int) [][]eventstore.Event {
	var groups [][]eventstore.Event
	for len(events) > 0 {
		n := min(len(events), 1+rng.IntN(most))
		groups = append(groups, events[:n])
		events = events[n:]
	}
	return groups
}
