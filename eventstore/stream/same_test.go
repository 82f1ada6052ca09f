package stream_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
)

// fill appends n events and returns the last group.
func fill(t *testing.T, log *running, n int) (g eventstore.Group) {
	t.Helper()
	for i := range n {
		r, err := log.Append(t.Context(), webhook(i))
		if err != nil {
			t.Fatal(err)
		}
		if g, err = log.At(t.Context(), r.Position); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// twins are two servers with one address, so that one at a time runs. Each has a log of its own:
// 3 groups the first, which runs, and more the second.
func twins(t *testing.T) (first, second *server, last eventstore.Group) {
	t.Helper()
	second = startServer(t)
	other := start(t, second.options(""))
	fill(t, other, 5)
	if err := other.stop(); err != nil {
		t.Fatal(err)
	}
	second.kill()
	first = startServer(t)
	log := start(t, first.options(""))
	last = fill(t, log, 3)
	if err := log.stop(); err != nil {
		t.Fatal(err)
	}
	second.moveTo(first)
	return first, second, last
}

// holdsStill appends again and again for a moment: each time it is refused as damage, and nothing is stored.
func holdsStill(t *testing.T, s *server, log *stream.Log, head uint64) {
	t.Helper()
	stream.Until(t, "an append is refused as damage", func() bool {
		_, err := log.Append(t.Context(), webhook(100))
		if err == nil {
			t.Fatal("an event is stored in another log")
		}
		return errors.Is(err, eventstore.ErrUnavailable) && errors.Is(err, eventstore.ErrIntegrity)
	})
	if err := log.Health(); !errors.Is(err, eventstore.ErrIntegrity) {
		t.Errorf("health: %v, want an ErrIntegrity", err)
	}
	if got := s.head(); got != head {
		t.Errorf("the other log ends at %d, and did at %d", got, head)
	}
}

// head asks the server itself where the log ends.
func (s *server) head() uint64 {
	s.t.Helper()
	nc, err := nats.Connect(s.url())
	if err != nil {
		s.t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		s.t.Fatal(err)
	}
	events, err := js.Stream(s.t.Context(), "TIDEMARK_EVENTS")
	if err != nil {
		s.t.Fatal(err)
	}
	return events.CachedInfo().State.LastSeq
}

// A server that comes back with another log is given nothing, and followed by nobody who has read of the first.
func TestAnotherLogBehindTheAddress(t *testing.T) {
	first, second, _ := twins(t)
	log := start(t, first.options(""))
	fill(t, log, 1)
	cursor, err := log.Follow(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer cursor.Close()
	for range 4 {
		if _, err := cursor.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	first.kill()
	stream.Until(t, "appends fail", func() bool {
		_, err := log.Append(t.Context(), webhook(50))
		return errors.Is(err, eventstore.ErrUnavailable)
	})
	second.run()
	holdsStill(t, second, log.Log, 5)
	stream.Until(t, "the cursor says so", func() bool {
		g, err := cursor.Next(t.Context())
		if err == nil {
			t.Fatalf("position %d of another log follows", g.Position)
		}
		return errors.Is(err, eventstore.ErrIntegrity)
	})
	second.kill()
	first.run()
	stream.Until(t, "the log takes events again", func() bool {
		r, err := log.Append(t.Context(), webhook(200))
		return err == nil && r.Position >= 5
	})
}

// What was read of the log in an earlier life is looked for before the first event is stored.
func TestAnotherLogAtTheStart(t *testing.T) {
	first, second, last := twins(t)
	opts := first.options("")
	opts.Now = time.Now
	log, err := stream.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	first.kill()
	second.run()
	log.Expect(last.Position, last.ID)
	ctx, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := log.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	defer func() {
		cancel()
		ended.Wait()
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	}()
	holdsStill(t, second, log, 5)
}

// A log that becomes another one behind a connection that stays, as a cluster's can whose
// leader lost its disk, is noticed by the publish itself. Mended, it takes events again.
func TestAnotherLogBehindTheConnection(t *testing.T) {
	server := startServer(t)
	log := start(t, server.options(""))
	fill(t, log, 3)
	js := jetStream(t, server.url())
	events, err := js.Stream(t.Context(), "TIDEMARK_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	config := events.CachedInfo().Config
	var stored []*nats.Msg
	for p := range uint64(3) {
		m, err := events.GetMsg(t.Context(), p+1)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data})
	}
	if err := js.DeleteStream(t.Context(), "TIDEMARK_EVENTS"); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	holdsStill(t, server, log.Log, 0)
	for _, m := range stored {
		m.Header.Del(jetstream.ExpectedLastSeqHeader)
		if _, err := js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	stream.Until(t, "the log takes events again", func() bool {
		r, err := log.Append(t.Context(), webhook(200))
		return err == nil && r.Position == 4
	})
	if err := log.Health(); err != nil {
		t.Errorf("health: %v", err)
	}
}

// Several that write to one log, which nothing forbids, all get through.
func TestTwoWritersOfOneLog(t *testing.T) {
	server := startServer(t)
	const each = 100
	var writing sync.WaitGroup
	for w := range 2 {
		log := start(t, server.options(""))
		writing.Go(func() {
			for i := range each {
				if _, err := log.Append(t.Context(), webhook(w*each+i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writing.Wait()
	seen := readIDs(t, start(t, server.options("")))
	if len(seen) != 2*each {
		t.Errorf("%d events are stored, want %d", len(seen), 2*each)
	}
}
