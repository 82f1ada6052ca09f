package rebuild

import (
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// A parcel is closed when it holds this much: enough that handing it on costs
// little, and little enough to stay in the cores' caches.
const (
	parcelEvents = 256
	parcelBytes  = 256 << 10
)

// parcel is a stretch of the log on its way from the reader through the mapping to
// the fates. It owns all its memory and is used again.
type parcel struct {
	groups []parcelGroup
	events []eventstore.Event // their bodies are in bodies
	bodies []byte

	mapped []mapped
	out    []byte // what mapped speaks of
	entry  timeline.Entry
	err    error // of mapping
	ready  chan struct{}
}

type parcelGroup struct {
	position uint64
	id       ulid.ULID
	end      int // of its events
}

// mapped is what the mapping made of an event: all that its fate needs.
type mapped struct {
	event    ulid.ULID
	conn     timeline.Conn
	key      timeline.Key
	received int64
	// hash stands for its delivery id, if it has one.
	hash    [16]byte
	bodySum uint64
	// name is source, NUL, connection id; row is that of the entry or of the quarantine.
	name, row   span
	hasID       bool
	quarantined bool
}

// span is a stretch of a buffer.
type span struct{ from, to uint32 }

func (s span) of(b []byte) []byte { return b[s.from:s.to] }

func newParcel() *parcel { return &parcel{ready: make(chan struct{}, 1)} }

func (p *parcel) reset() {
	p.groups, p.events, p.bodies = p.groups[:0], p.events[:0], p.bodies[:0]
	p.mapped, p.out, p.err = p.mapped[:0], p.out[:0], nil
}

func (p *parcel) full() bool { return len(p.events) >= parcelEvents || len(p.bodies) >= parcelBytes }

// take copies a group that the cursor lent.
func (p *parcel) take(g *eventstore.Group, keepsHeaders map[string]bool) {
	for i := range g.Events {
		e := g.Events[i]
		from := len(p.bodies)
		p.bodies = append(p.bodies, e.Body...)
		e.Body = p.bodies[from:len(p.bodies):len(p.bodies)]
		kept := keepsHeaders[e.Source] || e.Redacted() // which is one of them
		e.Headers = nil
		if kept {
			for _, h := range g.Events[i].Headers {
				e.Headers = append(e.Headers, eventstore.Header{Name: h.Name, Value: strings.Clone(h.Value)})
			}
		}
		p.events = append(p.events, e)
	}
	p.groups = append(p.groups, parcelGroup{position: uint64(g.Position), id: g.ID, end: len(p.events)})
}

// observe maps the events.
func (p *parcel) observe(o *projections.Observer, t *turn) {
	from := 0
	for _, g := range p.groups {
		for i := from; i < g.end; i++ {
			if p.err = p.observeOne(o, &p.events[i], g.position, uint32(i-from)); p.err != nil {
				return
			}
			t.step(1)
		}
		from = g.end
	}
}

func (p *parcel) observeOne(o *projections.Observer, e *eventstore.Event, position uint64, index uint32) error {
	m := mapped{event: e.ID, received: e.ReceivedAt.UnixNano()}
	obs, bad, err := o.Observe(e)
	if err != nil {
		return err
	}
	if bad != nil {
		m.quarantined = true
		row, err := bad.Row()
		m.row = p.put(row)
		p.mapped = append(p.mapped, m)
		return err
	}
	if obs.DeliveryID != "" {
		m.hasID = true
		m.hash = projections.DeliveryHash(e.Source, obs.DeliveryID)
		m.bodySum = xxhash.Sum64(e.Body)
	}
	m.conn = timeline.ConnOf(e.Source, obs.Connection)
	from := len(p.out)
	p.out = append(p.out, e.Source...)
	p.out = append(p.out, 0)
	p.out = append(p.out, obs.Connection...)
	m.name = span{uint32(from), uint32(len(p.out))}
	projections.EntryOf(&p.entry, e, &obs, position, index)
	m.key = p.entry.Key
	from = len(p.out)
	p.out = timeline.AppendEntry(p.out, &p.entry)
	m.row = span{uint32(from), uint32(len(p.out))}
	p.mapped = append(p.mapped, m)
	return nil
}

func (p *parcel) put(b []byte) span {
	from := len(p.out)
	p.out = append(p.out, b...)
	return span{uint32(from), uint32(len(p.out))}
}
