// Package late measures what one event costs that belongs far back in a long
// history: mapped, put in its place, its connection's state and indexes brought
// up to date, and committed, by the projector that `tidemark serve` runs.
// HTTP cannot see this alone, so it runs in-process, on a directory of its own.
package late

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/bench/stats"
	"github.com/tidemark-dev/tidemark/bench/webhook"
	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// Spec says what to measure: one connection with History events, a second
// apart, gets Samples events that are late by a random part of that history
// and as many in order, in turn.
type Spec struct {
	Dir              string
	History, Samples int
	// Pause lies before each of them. Without one the events are a stream that keeps a processor busy, and
	// each waits for what the ones before it left to do (tables to flush and to compact) as well as for itself.
	Pause time.Duration
	Body  int
	Seed  uint64
}

// Result is how long one event took to be applied and committed.
type Result struct {
	Late    stats.Latency `json:"late"`
	InOrder stats.Latency `json:"in_order"`
}

const (
	source     = "makini"
	connection = "conn_000001"
	interval   = time.Second
)

var beginning = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// Run measures one history.
func (s Spec) Run() (Result, error) {
	db, err := kv.Open(s.Dir, kv.Options{})
	if err != nil {
		return Result{}, err
	}
	defer db.Close()
	definition, err := providers.Load("makini")
	if err != nil {
		return Result{}, err
	}
	projector, err := projections.NewProjector(db, map[string]*providers.Definition{source: definition})
	if err != nil {
		return Result{}, err
	}
	defer projector.Close()
	h := &history{
		projector: projector,
		maker:     webhook.NewMaker(webhook.Corpus{Seed: s.Seed, Connections: 2, Size: s.Body}),
		rng:       rand.New(rand.NewPCG(s.Seed, 2)),
	}
	if err := h.build(s.History); err != nil {
		return Result{}, err
	}
	return h.measure(s.Samples, s.Pause)
}

// history is one connection's history under way.
type history struct {
	projector *projections.Projector
	maker     *webhook.Maker
	rng       *rand.Rand
	position  eventstore.Position
	// end is the time of the next event that is in order.
	end time.Time
}

// build applies n events in order, a thousand in a group and a batch.
func (h *history) build(n int) error {
	h.end = beginning
	for n > 0 {
		events := make([]eventstore.Event, min(n, 1_000))
		for i := range events {
			events[i] = h.event(h.end)
			h.end = h.end.Add(interval)
		}
		if err := h.apply(events...); err != nil {
			return err
		}
		n -= len(events)
	}
	return nil
}

// measure times late events and events in order, one after the other, each in
// a group and a batch of its own as when nothing waits.
func (h *history) measure(n int, pause time.Duration) (Result, error) {
	late, inOrder := make([]time.Duration, n), make([]time.Duration, n)
	span := h.end.Sub(beginning)
	for i := range n {
		var err error
		time.Sleep(pause)
		if late[i], err = h.timed(h.event(beginning.Add(time.Duration(h.rng.Int64N(int64(span)))))); err != nil {
			return Result{}, err
		}
		time.Sleep(pause)
		if inOrder[i], err = h.timed(h.event(h.end)); err != nil {
			return Result{}, err
		}
		h.end = h.end.Add(interval)
	}
	if got, want := h.projector.Checkpoint().Placed, uint64(span/interval)+2*uint64(n); got != want {
		return Result{}, fmt.Errorf("%d of %d events were placed", got, want)
	}
	return Result{Late: stats.Summarise(late), InOrder: stats.Summarise(inOrder)}, nil
}

func (h *history) timed(e eventstore.Event) (time.Duration, error) {
	start := time.Now()
	err := h.apply(e)
	return time.Since(start), err
}

func (h *history) apply(events ...eventstore.Event) error {
	h.position++
	size := 0
	for _, e := range events {
		size += len(e.Body)
	}
	group := eventstore.Group{Position: h.position, ID: events[0].ID, Events: events, Size: size}
	if err := h.projector.Add(&group); err != nil {
		return err
	}
	return h.projector.Commit()
}

// event returns a webhook about something that happened at a time and was told
// of at the end of the history.
func (h *history) event(at time.Time) eventstore.Event {
	received := h.end.Add(interval)
	id := ulid.ULID{}
	_ = id.SetTime(ulid.Timestamp(received)) // fails only after the year 10889
	var entropy [10]byte
	for i := range entropy {
		entropy[i] = byte(h.rng.Uint32())
	}
	_ = id.SetEntropy(entropy[:]) // fails only for another length
	return eventstore.Event{ID: id, Source: source, ReceivedAt: received, Verified: "hmac", Body: h.maker.About(nil, connection, at)}
}
