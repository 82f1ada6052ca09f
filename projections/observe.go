package projections

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// MaxSkew is how far an event's own time may lie ahead of its receipt. Beyond
// it the time of receipt decides, so that a wrong clock cannot pin a state into the future.
const MaxSkew = 5 * time.Minute

// oldest is the earliest time of its own that an event is ordered by: earlier
// ones are a clock that was never set, and nanoseconds since 1970 end not far before.
var oldest = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)

// CodeNoDefinition is the reason of events whose source is not configured.
const CodeNoDefinition = "no_definition"

// Observer maps the events of all sources. It is all that reads a body, live and
// in a rebuild. Not safe for concurrent use.
type Observer struct {
	mappers map[string]*providers.Mapper
	headers []eventstore.Header // of the event at hand
	header  func(string) string
}

// NewObserver returns an observer that maps each source's events by its definition.
func NewObserver(definitions map[string]*providers.Definition) *Observer {
	o := &Observer{mappers: map[string]*providers.Mapper{}}
	for source, d := range definitions {
		o.define(source, d)
	}
	o.header = func(name string) string {
		for _, h := range o.headers {
			if strings.EqualFold(h.Name, name) {
				return h.Value
			}
		}
		return ""
	}
	return o
}

// define lets the events of a source be read by a definition from now on.
func (o *Observer) define(source string, d *providers.Definition) { o.mappers[source] = d.NewMapper() }

// Observe reads the observation out of an event, or says why it belongs in the
// quarantine.
func (o *Observer) Observe(e *eventstore.Event) (providers.Observation, *Quarantine, error) {
	m := o.mappers[e.Source]
	if m == nil {
		return providers.Observation{}, quarantineOf(e, CodeNoDefinition,
			fmt.Sprintf("source %q is not in the configuration: no definition reads its events", e.Source)), nil
	}
	o.headers = e.Headers
	obs, err := m.Map(e.Body, o.header)
	if err == nil {
		return obs, nil, nil
	}
	if bad, ok := errors.AsType[*providers.Unplaceable](err); ok {
		return obs, quarantineOf(e, bad.Code, bad.Detail), nil
	}
	return obs, nil, err
}

func quarantineOf(e *eventstore.Event, code, reason string) *Quarantine {
	return &Quarantine{Event: e.ID.String(), Source: e.Source, ReceivedAt: e.ReceivedAt, Code: code, Reason: reason}
}

// EntryOf makes entry the place of an observation in the order.
func EntryOf(entry *timeline.Entry, e *eventstore.Event, o *providers.Observation, position uint64, index uint32) {
	received := e.ReceivedAt.UnixNano()
	*entry = timeline.Entry{
		Key:   timeline.Key{Effective: received, Position: position, Index: index},
		Event: e.ID, ReceivedAt: received, Redacted: e.Redacted(),
		Type: o.Type, Delivery: o.DeliveryID, Rule: o.Rule, Sets: o.Sets, Detail: o.Detail,
	}
	if o.HasSequence {
		entry.Key.Sequence = timeline.SequenceRank(o.Sequence)
	}
	if t := o.OccurredAt; !t.IsZero() {
		entry.HasOccurred = true
		entry.OccurredAt = timeline.Instant{Seconds: t.Unix(), Nanos: int32(t.Nanosecond())}
		if t.Before(oldest) || t.Sub(e.ReceivedAt) > MaxSkew {
			entry.Skewed = true
		} else {
			entry.Key.Effective = t.UnixNano()
		}
	}
}
