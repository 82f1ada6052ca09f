// Package past measures what it costs to ask for the state of a connection as of an
// instant, on either clock, in a long and in a short history. The history is made by the projector that `tidemark
// serve` runs, and asked through the view that its API asks; HTTP would hide the difference.
//
// Guarantee: every answer about valid_at is compared with a count of the events by
// other means, and so are some about known_at; a wrong one is an error.
package past

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tidemark-dev/tidemark/bench/history"
	"github.com/tidemark-dev/tidemark/bench/stats"
	"github.com/tidemark-dev/tidemark/bench/webhook"
	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// The axes to ask on.
const (
	ValidAt = "valid_at"
	KnownAt = "known_at"
	Both    = "valid_at and known_at"
)

// Axes are all of them.
var Axes = []string{ValidAt, KnownAt, Both}

// Spec says what to measure: one connection with History events, a second apart and 5 % of them
// late, is asked for at Samples random instants of valid time, and at Known with the other clock set back as well.
type Spec struct {
	Dir            string
	History        int
	Samples, Known int
	Body           int
	Seed           uint64
}

func (s Spec) samples(axis string) int {
	if axis == ValidAt {
		return s.Samples
	}
	return s.Known
}

// Result is how long a question took, by axis.
type Result map[string]stats.Latency

const (
	connection = "conn_000001"
	interval   = time.Second
	batch      = 1_000
	// counted is how many answers about known_at are compared with a count of all events.
	counted = 20
)

// Run measures one history.
func (s Spec) Run() (Result, error) {
	told, err := s.fill()
	if err != nil {
		return nil, err
	}
	// Opened anew, as after a restart: nothing is in a cache because it was just written.
	db, err := kv.Open(s.Dir, kv.Options{})
	if err != nil {
		return nil, err
	}
	out := Result{}
	for _, axis := range Axes {
		if out[axis], err = s.ask(db, told, axis); err != nil {
			return nil, errors.Join(fmt.Errorf("asking %s: %w", axis, err), db.Close())
		}
	}
	return out, db.Close()
}

// told is what the connection was told of, on both clocks, in nanoseconds since 1970.
type told struct {
	effective, received []int64 // of each event, in the order of receipt
	sorted              []int64 // effective, rising
}

// fill has the projector apply the whole history.
func (s Spec) fill() (t told, err error) {
	db, err := kv.Open(s.Dir, kv.Options{})
	if err != nil {
		return t, err
	}
	definition, err := providers.Load("makini")
	if err != nil {
		return t, errors.Join(err, db.Close())
	}
	projector, err := projections.NewProjector(db, map[string]*providers.Definition{history.Source: definition})
	if err != nil {
		return t, errors.Join(err, db.Close())
	}
	t, err = s.apply(projector)
	return t, errors.Join(err, projector.Close(), db.Close())
}

func (s Spec) apply(projector *projections.Projector) (t told, err error) {
	rng := rand.New(rand.NewPCG(s.Seed, 0x7061_7374))
	bodies := webhook.NewMaker(webhook.Corpus{Seed: s.Seed, Connections: 2, Size: s.Body})
	for position := eventstore.Position(1); len(t.received) < s.History; position++ {
		events, size := make([]eventstore.Event, min(batch, s.History-len(t.received))), 0
		for i := range events {
			received := history.Beginning.Add(time.Duration(len(t.received)) * interval)
			at := received
			if rng.Float64() < 0.05 {
				at = at.Add(-time.Duration(rng.Int64N(int64(7 * 24 * time.Hour))))
			}
			events[i] = history.Event(rng, received, bodies.About(nil, connection, at))
			size += s.Body
			t.effective, t.received = append(t.effective, at.UnixNano()), append(t.received, received.UnixNano())
		}
		if err := projector.Add(&eventstore.Group{Position: position, ID: events[0].ID, Events: events, Size: size}); err != nil {
			return t, err
		}
		if err := projector.Commit(); err != nil {
			return t, err
		}
	}
	if got := projector.Checkpoint().Placed; got != uint64(s.History) {
		return t, fmt.Errorf("%d of %d events were placed", got, s.History)
	}
	t.sorted = slices.Clone(t.effective)
	slices.Sort(t.sorted)
	return t, nil
}

// ask times questions on one axis, each with a view of its own as the API opens one.
func (s Spec) ask(db *kv.DB, t told, axis string) (stats.Latency, error) {
	rng := rand.New(rand.NewPCG(s.Seed, uint64(len(axis))))
	span := s.History * int(interval)
	instant := func() time.Time { return history.Beginning.Add(time.Duration(rng.IntN(span))) }
	samples := make([]time.Duration, s.samples(axis))
	for i := range samples {
		var w projections.When
		if axis != KnownAt {
			w.ValidAt = instant()
		}
		if axis != ValidAt {
			w.KnownAt = instant()
		}
		start := time.Now()
		events, err := question(db, w)
		samples[i] = time.Since(start)
		if err != nil {
			return stats.Latency{}, err
		}
		if axis != ValidAt && i >= counted {
			continue
		}
		if want := t.count(w); events != want {
			return stats.Latency{}, fmt.Errorf("as of %+v there are %d events, the answer says %d", w, want, events)
		}
	}
	return stats.Summarise(samples), nil
}

// question returns how many events the state as of w is made of.
func question(db *kv.DB, w projections.When) (uint64, error) {
	view, err := projections.NewView(db)
	if err != nil {
		return 0, err
	}
	state, err := view.ConnectionAt(history.Source, connection, w)
	if errors.Is(err, projections.ErrNotFound) { // nothing had happened yet
		err = nil
	}
	return state.Counts.Events, errors.Join(err, view.Close())
}

// count returns the number of events that were valid and known as of w.
func (t *told) count(w projections.When) uint64 {
	if w.KnownAt.IsZero() {
		n, _ := slices.BinarySearch(t.sorted, w.ValidAt.UnixNano()+1)
		return uint64(n)
	}
	n := uint64(0)
	for i := range t.effective {
		if t.received[i] <= w.KnownAt.UnixNano() && (w.ValidAt.IsZero() || t.effective[i] <= w.ValidAt.UnixNano()) {
			n++
		}
	}
	return n
}
