package history

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/bench/webhook"
	"github.com/tidemark-dev/tidemark/eventstore"
)

const (
	lateShare  = 0.05
	againShare = 0.01
	week       = 7 * 24 * time.Hour
	// remembered is how many events back a redelivery reaches at the most.
	remembered = 1 << 16
)

// Beginning is the time of the first event.
var Beginning = time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)

// maker draws the events of a history one after the other.
type maker struct {
	spec   Spec
	rng    *rand.Rand
	bodies *webhook.Maker
	n      int
	recent [][]byte // the last bodies, by n modulo remembered
}

func newMaker(s Spec) *maker {
	return &maker{
		spec: s, rng: rand.New(rand.NewPCG(s.Seed, 0x6869_7374)),
		bodies: webhook.NewMaker(webhook.Corpus{Seed: s.Seed, Connections: s.Connections, Size: s.Body, EachFirst: true}),
		recent: make([][]byte, remembered),
	}
}

// next returns the next event. It is the caller's to keep.
func (m *maker) next() eventstore.Event {
	received := Beginning.Add(time.Duration(float64(Span) / float64(m.spec.Events) * float64(m.n)))
	body := m.again()
	if body == nil {
		at := received.Add(-time.Duration(m.rng.Int64N(int64(time.Second))))
		if m.rng.Float64() < lateShare {
			at = received.Add(-time.Duration(m.rng.Int64N(int64(week))))
		}
		body = m.bodies.About(nil, m.bodies.Connection(), at)
	}
	m.recent[m.n%remembered] = body
	m.n++
	return Event(m.rng, received, body)
}

// again returns a body that was delivered before, for one event in a hundred: most often a
// little while ago, sometimes long ago.
func (m *maker) again() []byte {
	if m.n == 0 || m.rng.Float64() >= againShare {
		return nil
	}
	back := int(math.Exp(m.rng.Float64() * math.Log(float64(min(m.n, remembered-1)))))
	return m.recent[(m.n-max(back, 1))%remembered]
}

// Event returns a webhook with this body as Tidemark stores it.
func Event(rng *rand.Rand, received time.Time, body []byte) eventstore.Event {
	e := eventstore.Event{
		Source: Source, ReceivedAt: received, Verified: "hmac", Body: body,
		Headers: []eventstore.Header{{Name: "Content-Type", Value: "application/json"}},
	}
	_ = e.ID.SetTime(ulid.Timestamp(received)) // fails only after the year 10889
	binary.BigEndian.PutUint64(e.ID[8:], rng.Uint64())
	return e
}
