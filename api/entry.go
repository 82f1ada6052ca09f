package api

import (
	"time"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// Entry is one event on a connection's timeline. Times are UTC.
type Entry struct {
	Event string `json:"event" doc:"The event's id, a ULID"`
	Type  string `json:"type" doc:"The event's type in the provider's words"`
	// OccurredAt is nil where the provider does not say.
	OccurredAt  *time.Time `json:"occurred_at,omitempty" doc:"The provider's clock"`
	ReceivedAt  time.Time  `json:"received_at" doc:"Our clock at acceptance"`
	EffectiveAt time.Time  `json:"effective_at" doc:"The time that orders the event"`
	TimeSource  string     `json:"time_source" enum:"provider,received" doc:"Whose clock effective_at is"`
	Flags       []string   `json:"flags" nullable:"false" enum:"late,clock_skew,conflict,redacted" doc:"late: it came after an event of a later effective time. clock_skew: its own time was not usable. conflict: it was delivered again with other bytes. redacted: values of it were replaced by keyed hashes before it was stored"`
	Deliveries  uint64     `json:"deliveries" doc:"How often it was delivered"`
	// Sets holds the value of each facet that the event sets.
	Sets     map[string]string `json:"sets" doc:"The facets that the event sets, and to what"`
	Detail   Detail            `json:"detail" doc:"Why, as far as the provider says"`
	Position uint64            `json:"position" doc:"Place in the log"`
	// Corrections is set where they are asked for, on late entries.
	Corrections []Correction `json:"corrections,omitempty" nullable:"false" doc:"With corrections=true: what the event changed of the past, as it came late"`
}

// Detail says why an event set what it set. What the provider does not say is left out.
type Detail struct {
	Reason    string     `json:"reason,omitempty"`
	Code      string     `json:"code,omitempty"`
	Message   string     `json:"message,omitempty"`
	RequestID string     `json:"request_id,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"When credentials expire"`
}

// The flags of entries and events.
const (
	FlagLate      = "late"
	FlagClockSkew = "clock_skew"
	FlagConflict  = "conflict"
	FlagRedacted  = "redacted"
)

// Whose clock an entry's effective time is.
const (
	TimeProvider = "provider"
	TimeReceived = "received"
)

// entryOf returns what is shown of an entry.
func entryOf(e *timeline.Entry) Entry {
	out := Entry{
		Event: e.Event.String(), Type: e.Type,
		ReceivedAt: fromNano(e.ReceivedAt), EffectiveAt: fromNano(e.Key.Effective),
		TimeSource: TimeReceived, Flags: []string{},
		Deliveries: 1 + uint64(e.Duplicates),
		Sets:       map[string]string{}, Detail: detailOf(&e.Detail),
		Position: e.Key.Position,
	}
	if e.HasOccurred {
		t := time.Unix(e.OccurredAt.Seconds, int64(e.OccurredAt.Nanos)).UTC()
		out.OccurredAt = &t
		if !e.Skewed {
			out.TimeSource = TimeProvider
		}
	}
	if e.Late {
		out.Flags = append(out.Flags, FlagLate)
	}
	if e.Skewed {
		out.Flags = append(out.Flags, FlagClockSkew)
	}
	if e.Conflicts > 0 {
		out.Flags = append(out.Flags, FlagConflict)
	}
	if e.Redacted {
		out.Flags = append(out.Flags, FlagRedacted)
	}
	for f, v := range e.Sets {
		if v != providers.Unset {
			facet := providers.Facet(f)
			out.Sets[facet.String()] = facet.ValueName(v)
		}
	}
	return out
}

func detailOf(d *providers.Detail) Detail {
	out := Detail{Reason: d.Reason, Code: d.Code, Message: d.Message, RequestID: d.RequestID}
	if !d.ExpiresAt.IsZero() {
		t := d.ExpiresAt.UTC()
		out.ExpiresAt = &t
	}
	return out
}

func fromNano(ns int64) time.Time { return time.Unix(0, ns).UTC() }
