package projectiontest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// Observed is one delivery as the oracle understands it.
type Observed struct {
	Event      eventstore.Event
	Position   uint64
	Index      int
	Connection string
	ID         string
	Type       string
	Occurred   time.Time
	// Sequence, nil where there is none, orders events of equal time; those without one come first.
	Sequence  *int64
	Effective time.Time
	Skewed    bool
	Late      bool
	Sets      map[string]string
	Reason    string
	Expires   time.Time
	Error     map[string]string
	// Again are the further deliveries of the same id.
	Again []Observed
	// Conflict is set on a further delivery with other bytes.
	Conflict bool
}

// Oracle keeps all events in memory and sorts and folds them on each question.
type Oracle struct {
	// Connections holds the distinct events by "source\x00connection", in the order of arrival.
	Connections map[string][]*Observed
	Quarantined []Observed
	Duplicates  int
	byID        map[string]*Observed
}

// NewOracle returns an empty oracle.
func NewOracle() *Oracle {
	return &Oracle{Connections: map[string][]*Observed{}, byID: map[string]*Observed{}}
}

// Add takes a delivery in the order of the log.
func (o *Oracle) Add(e eventstore.Event, position uint64, index int) {
	ob := Observed{Event: e, Position: position, Index: index}
	var b struct {
		ID, EventType, ConnectionID string
		Timestamp                   json.RawMessage
		Data                        struct {
			Status, Reason string
			Error          map[string]string
		}
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(e.Body, &raw); err != nil {
		o.Place(ob)
		return
	}
	for name, to := range map[string]any{"id": &b.ID, "event_type": &b.EventType, "connection_id": &b.ConnectionID, "timestamp": &b.Timestamp, "data": &b.Data} {
		if v, ok := raw[name]; ok {
			if err := json.Unmarshal(v, to); err != nil {
				panic(err)
			}
		}
	}
	ob.ID, ob.Type, ob.Connection = b.ID, b.EventType, b.ConnectionID
	if len(b.Timestamp) > 0 {
		var ms int64
		if json.Unmarshal(b.Timestamp, &ms) == nil {
			ob.Occurred = time.UnixMilli(ms).UTC()
		} else if err := json.Unmarshal(b.Timestamp, &ob.Occurred); err != nil {
			panic(err)
		}
	}
	ob.Sets = sets(b.EventType, b.Data.Status)
	ob.Reason, ob.Error = b.Data.Reason, b.Data.Error
	o.Place(ob)
}

// Place takes a delivery of which it is known what it says. One without a
// connection belongs in the quarantine.
func (o *Oracle) Place(ob Observed) {
	if ob.Connection == "" {
		o.Quarantined = append(o.Quarantined, ob)
		return
	}
	e := &ob.Event
	ob.Effective = e.ReceivedAt
	if !ob.Occurred.IsZero() {
		if ob.Skewed = ob.Occurred.After(e.ReceivedAt.Add(5*time.Minute)) || ob.Occurred.Year() < 1900; !ob.Skewed {
			ob.Effective = ob.Occurred
		}
	}
	if ob.ID != "" {
		key := e.Source + "\x00" + ob.ID
		if first := o.byID[key]; first != nil {
			ob.Conflict = string(first.Event.Body) != string(e.Body)
			first.Again = append(first.Again, ob)
			o.Duplicates++
			return
		}
		o.byID[key] = &ob
	}
	key := e.Source + "\x00" + ob.Connection
	for _, other := range o.Connections[key] {
		ob.Late = ob.Late || other.Effective.After(ob.Effective)
	}
	o.Connections[key] = append(o.Connections[key], &ob)
}

// sets is the contract's table of makini events.
func sets(name, status string) map[string]string {
	online := map[string]string{"connectivity": "online", "auth": "ok"}
	succeeded := map[string]string{"sync": "succeeded", "connectivity": "online", "auth": "ok", "error": "none"}
	switch name {
	case "sync.completed":
		switch status {
		case "success", "succeeded":
			return succeeded
		case "failed":
			return map[string]string{"sync": "failed"}
		}
	case "sync.succeeded":
		return succeeded
	case "sync.failed":
		return map[string]string{"sync": "failed"}
	case "sync.started":
		return map[string]string{"sync": "running"}
	case "connection.auth_required":
		return map[string]string{"auth": "required"}
	case "connection.status_changed":
		switch status {
		case "online":
			return online
		case "offline":
			return map[string]string{"connectivity": "offline"}
		}
	case "connection.online":
		return online
	case "connection.offline":
		return map[string]string{"connectivity": "offline"}
	case "connection.created", "connection.connected":
		return map[string]string{"lifecycle": "active", "connectivity": "online", "auth": "ok"}
	case "connection.disconnected":
		return map[string]string{"lifecycle": "disconnected"}
	case "system.error":
		return map[string]string{"error": "open"}
	}
	return nil
}

// Sorted returns a connection's events in the contract's order.
func Sorted(events []*Observed) []*Observed {
	events = slices.Clone(events)
	slices.SortFunc(events, func(a, b *Observed) int {
		return cmp.Or(a.Effective.Compare(b.Effective), compareSequences(a.Sequence, b.Sequence), cmp.Compare(a.Position, b.Position), cmp.Compare(a.Index, b.Index))
	})
	return events
}

func compareSequences(a, b *int64) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return cmp.Compare(*a, *b)
}

// When restricts a question to a part of the history. The zero When is now.
type When struct {
	// ValidAt, if not zero, leaves out what happened after it; KnownAt what was received after it.
	ValidAt, KnownAt time.Time
}

func (w When) holds(at, received time.Time) bool {
	return (w.ValidAt.IsZero() || !at.After(w.ValidAt)) && w.knows(received)
}

func (w When) knows(received time.Time) bool {
	return w.KnownAt.IsZero() || !received.After(w.KnownAt)
}

// Fold returns a connection's state as the contract's JSON says it, as generic
// values, or nil where nothing is known of it then.
func Fold(source, connection string, events []*Observed, w When) map[string]any {
	s := map[string]any{"source": source, "connection": connection}
	facets := map[string]map[string]any{}
	for _, f := range []string{"lifecycle", "connectivity", "auth", "sync"} {
		facets[f] = map[string]any{"value": "unknown"}
	}
	facets["error"] = map[string]any{"value": "none"}
	counts := map[string]int{"events": 0, "duplicates": 0, "conflicts": 0, "late": 0}
	fails := 0
	position := uint64(0)
	var first, last, received time.Time
	for _, e := range Sorted(events) {
		if !w.holds(e.Effective, e.Event.ReceivedAt) {
			continue
		}
		if counts["events"] == 0 {
			first = e.Effective
		}
		last = e.Effective
		counts["events"]++
		if e.Late {
			counts["late"]++
		}
		for _, d := range append([]Observed{*e}, e.Again...) {
			if !w.knows(d.Event.ReceivedAt) {
				continue
			}
			if d.Position != e.Position || d.Index != e.Index {
				counts["duplicates"]++
				if d.Conflict {
					counts["conflicts"]++
				}
			}
			position = max(position, d.Position)
			if d.Event.ReceivedAt.After(received) {
				received = d.Event.ReceivedAt
			}
		}
		for f, v := range e.Sets {
			is := facets[f]
			if is["value"] != v || is["since"] == nil {
				is = map[string]any{"value": v, "since": stamp(e.Effective), "event": e.Event.ID.String()}
			} else {
				is = map[string]any{"value": v, "since": is["since"], "event": is["event"]}
			}
			if e.Reason != "" {
				is["reason"] = e.Reason
			}
			switch {
			case f == "auth" && !e.Expires.IsZero():
				is["expires_at"] = stamp(e.Expires)
			case f == "sync" && v == "failed" && len(e.Error) > 0:
				is["error"] = anyMap(e.Error)
			case f == "error" && v == "open":
				for k, t := range e.Error {
					is[k] = t
				}
			}
			if f == "sync" {
				for _, k := range []string{"last_success_at", "last_failure_at"} {
					if was, ok := facets[f][k]; ok {
						is[k] = was
					}
				}
				switch v {
				case "succeeded":
					fails = 0
					is["last_success_at"] = stamp(e.Effective)
				case "failed":
					fails++
					is["last_failure_at"] = stamp(e.Effective)
				}
			}
			facets[f] = is
		}
	}
	if counts["events"] == 0 {
		return nil
	}
	facets["sync"]["consecutive_failures"] = fails
	for f, v := range facets {
		s[f] = v
	}
	s["counts"] = counts
	s["position"] = position
	s["first_event_at"], s["last_event_at"], s["last_received_at"] = stamp(first), stamp(last), stamp(received)
	s["health"] = health(facets)
	return s
}

func health(f map[string]map[string]any) string {
	switch {
	case f["lifecycle"]["value"] == "disconnected", f["lifecycle"]["value"] == "paused":
		return fmt.Sprint(f["lifecycle"]["value"])
	case f["auth"]["value"] == "required":
		return "action_required"
	case f["connectivity"]["value"] == "offline":
		return "offline"
	case f["sync"]["value"] == "failed", f["error"]["value"] == "open":
		return "failing"
	case f["auth"]["value"] == "expiring":
		return "expiring"
	case f["connectivity"]["value"] == "online", f["sync"]["value"] == "succeeded":
		return "healthy"
	}
	return "unknown"
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func anyMap(m map[string]string) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

// Differs compares a State, marshalled as users see it, with what Fold returned,
// and says where they part; "" where they do not. health_reason is left out: it is words.
func Differs(state any, want map[string]any) string {
	got, a := canonical(state)
	exp, b := canonical(want)
	delete(got, "health_reason")
	if a != nil || b != nil {
		return fmt.Sprint(a, b)
	}
	x, _ := json.MarshalIndent(got, "", " ")
	y, _ := json.MarshalIndent(exp, "", " ")
	if string(x) == string(y) {
		return ""
	}
	return fmt.Sprintf("got %s\nwant %s", x, y)
}

func canonical(v any) (map[string]any, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	return m, json.Unmarshal(raw, &m)
}
