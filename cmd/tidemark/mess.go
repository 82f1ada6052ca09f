package main

import (
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
	data             []byte
	body             []byte // sent as it is, in place of one made of the above
	end              time.Time
	step             time.Duration
	copies           int

	ids   []string
	skews []time.Duration // nil for none
	order []int           // which event is delivered when
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
func (m *mess) event(i int) (outgoing, error) {
	at := m.end.Add(-time.Duration(len(m.ids)-1-i) * m.step)
	if m.skews != nil {
		at = at.Add(m.skews[i])
	}
	e := outgoing{id: m.ids[i], at: at, body: m.body}
	if e.body != nil {
		return e, nil
	}
	var err error
	e.body, err = m.def.Compose(providers.Sample{ID: e.id, Type: m.kind, Connection: m.connection, OccurredAt: at, Data: m.data})
	return e, err
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
