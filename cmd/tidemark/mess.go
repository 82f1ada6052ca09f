package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// mess is a set of events and the order in which they are delivered: each as
// often as asked for, shuffled, and with the clock off by as much as asked for.
type mess struct {
	source string
	def    *providers.Definition
	secret providers.Secret
	url    string // the webhook URL, for people
	post   string // the same with what is secret in it

	kind, connection string
	data             json.RawMessage
	body             []byte // sent as it is, in place of one made of the above
	end              time.Time
	plainType        bool // the type stands under "type", not "event_type"
	step             time.Duration
	copies           int

	ids   []string
	skews []time.Duration // nil for none
	order []int           // which event is delivered when
}

// body is what send makes where no body is given.
type body struct {
	ID         string          `json:"id"`
	EventType  string          `json:"event_type,omitempty"`
	Type       string          `json:"type,omitempty"`
	Timestamp  time.Time       `json:"timestamp"`
	Connection string          `json:"connection_id"`
	Data       json.RawMessage `json:"data,omitempty"`
}

// outgoing is one event as it is sent. Its copies are the same byte for byte.
type outgoing struct {
	id   string
	at   time.Time
	body []byte
}

// make draws ids, skews and order. The seed decides the skews and the order; ids
// are always new, so that the same command sends new events.
func (m *mess) make(now time.Time, count int, id string, skew time.Duration, shuffle bool, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	for range count {
		if id != "" {
			m.ids = append(m.ids, id)
			break
		}
		m.ids = append(m.ids, "evt_"+ulid.MustNew(ulid.Timestamp(now), ulid.DefaultEntropy()).String())
	}
	if skew > 0 {
		for range count {
			m.skews = append(m.skews, time.Duration(rng.Int64N(int64(2*skew)+1))-skew)
		}
	}
	for i := range count {
		for range m.copies {
			m.order = append(m.order, i)
		}
	}
	if shuffle {
		rng.Shuffle(len(m.order), func(i, j int) { m.order[i], m.order[j] = m.order[j], m.order[i] })
	}
}

// total is the number of deliveries.
func (m *mess) total() int { return len(m.order) }

// event returns event i: the last of them happened at the end, the others a step apart before it.
func (m *mess) event(i int) outgoing {
	at := m.end.Add(-time.Duration(len(m.ids)-1-i) * m.step)
	if m.skews != nil {
		at = at.Add(m.skews[i])
	}
	e := outgoing{id: m.ids[i], at: at, body: m.body}
	if e.body == nil {
		b := body{ID: e.id, Timestamp: e.at.UTC(), Connection: m.connection, Data: m.data}
		if m.plainType {
			b.Type = m.kind
		} else {
			b.EventType = m.kind
		}
		e.body, _ = json.Marshal(b) // strings, a time and JSON that was checked before: this cannot fail
	}
	return e
}

// headers returns what the provider would send beside the body.
func (m *mess) headers(e outgoing, now time.Time) (http.Header, error) {
	h, err := m.def.Sign(m.secret, e.id, now, e.body)
	if err != nil {
		return nil, err
	}
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "tidemark-send")
	return h, nil
}

// misread says how the definition's reading of the event differs from what was meant, "" if it
// does not. Where the type is not found under one name it is put under the other.
func (m *mess) misread() string {
	why := m.reading()
	if why != "" {
		m.plainType = !m.plainType
		if m.reading() == "" {
			return ""
		}
		m.plainType = !m.plainType
	}
	return why
}

func (m *mess) reading() string {
	e := m.event(0)
	header, err := m.headers(e, e.at)
	if err != nil {
		return "" // the same error comes when it is sent
	}
	o, err := m.def.NewMapper().Map(e.body, header.Get)
	switch {
	case err != nil:
		return err.Error()
	case o.Connection != m.connection:
		return fmt.Sprintf("it reads the connection %q", o.Connection)
	case o.Type != m.kind:
		return fmt.Sprintf("it reads the type %q", o.Type)
	}
	return ""
}
