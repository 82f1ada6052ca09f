package stream_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
)

// senders append events, each in its own time, until they are stopped. A refused one is
// not repeated: whether it is stored is not known.
type senders struct {
	stop  context.CancelFunc
	wg    sync.WaitGroup
	acked sync.Map // ulid.ULID: position and index

	stored, refused atomic.Int64
	slowest         atomic.Int64 // of all answers, in ns
	longest         atomic.Int64 // the longest time between two acknowledgements, in ns
	last            atomic.Int64 // the last acknowledgement, in unix ns
}

// send starts n senders.
func send(t *testing.T, log *running, n int) *senders {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := &senders{stop: stop}
	s.last.Store(time.Now().UnixNano())
	for first := range n {
		s.wg.Go(func() {
			pause := time.NewTicker(10 * time.Millisecond)
			defer pause.Stop()
			for i := first; ctx.Err() == nil; i += n {
				s.one(t, log, webhook(i))
				<-pause.C
			}
		})
	}
	t.Cleanup(s.end)
	return s
}

func (s *senders) one(t *testing.T, log *running, e eventstore.Event) {
	begin := time.Now()
	receipt, err := log.Append(t.Context(), e)
	now := time.Now()
	raise(&s.slowest, int64(now.Sub(begin)))
	switch {
	case err == nil:
		s.acked.Store(e.ID, receipt)
		s.stored.Add(1)
		raise(&s.longest, now.UnixNano()-s.last.Swap(now.UnixNano()))
	case errors.Is(err, eventstore.ErrIntegrity):
		t.Errorf("a cluster that lost nothing is taken for damaged: %v", err)
	case errors.Is(err, eventstore.ErrUnavailable):
		s.refused.Add(1)
	case !errors.Is(err, context.Canceled): // which is the end of the test
		t.Errorf("append: %v, want an ErrUnavailable if anything", err)
	}
}

func raise(most *atomic.Int64, to int64) {
	for old := most.Load(); to > old && !most.CompareAndSwap(old, to); old = most.Load() {
	}
}

// getOn waits for another few acknowledgements.
func (s *senders) getOn(t *testing.T) {
	t.Helper()
	from := s.stored.Load()
	stream.Until(t, "senders get on", func() bool { return s.stored.Load() > from+200 })
}

// end stops the senders.
func (s *senders) end() {
	s.stop()
	s.wg.Wait()
}

// check holds that every acknowledged event is stored once, where its receipt says, that no
// other is stored twice, and that positions have no gap.
func (s *senders) check(t *testing.T, log *running) {
	t.Helper()
	c, err := log.Follow(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	head, err := log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := map[ulid.ULID]eventstore.Receipt{}
	for p := eventstore.Position(1); p <= head; {
		g, err := c.Next(t.Context())
		if errors.Is(err, eventstore.ErrIdle) || errors.Is(err, eventstore.ErrUnavailable) {
			continue
		}
		if err != nil || g.Position != p {
			t.Fatalf("position %d, error %v; want position %d of %d", g.Position, err, p, head)
		}
		for i, r := range g.Events {
			if was, twice := at[r.ID]; twice {
				t.Fatalf("event %s is stored at %+v and again at %d", r.ID, was, p)
			}
			at[r.ID] = eventstore.Receipt{Position: p, Index: i}
		}
		p++
	}
	acked := 0
	s.acked.Range(func(id, receipt any) bool {
		acked++
		if at[id.(ulid.ULID)] != receipt {
			t.Errorf("event %s was acknowledged at %+v and is stored at %+v", id, receipt, at[id.(ulid.ULID)])
		}
		return !t.Failed()
	})
	if acked == 0 {
		t.Error("nothing was acknowledged")
	}
	t.Logf("%d acknowledged, %d refused, %d stored in %d groups; slowest answer %s, longest time without an acknowledgement %s",
		acked, s.refused.Load(), len(at), head, time.Duration(s.slowest.Load()), time.Duration(s.longest.Load()))
}

// faulty starts a cluster and a log that it keeps three copies of, beside other such tests: most of their
// time is waiting for elections.
func faulty(t *testing.T, more ...func(*stream.Options)) (*cluster, *running) {
	t.Helper()
	needsLong(t, "the cluster takes up to ten seconds to elect another leader")
	t.Parallel()
	c := startCluster(t)
	opts := c.options("TIDEMARK")
	for _, set := range more {
		set(&opts)
	}
	log := start(t, opts)
	want := eventstore.Durability{Kind: "external", SyncAlways: true, Known: true, SyncInterval: "always", Replicas: 3}
	if d := log.Durability(); d != want {
		t.Errorf("durability %+v, want %+v", d, want)
	}
	return c, log
}

// TestTheLeaderIsKilled takes away the server that leads the stream, twice, while events are appended.
func TestTheLeaderIsKilled(t *testing.T) {
	c, log := faulty(t)
	s := send(t, log, 8)
	for range 2 {
		c.whole("TIDEMARK_EVENTS")
		s.getOn(t)
		leader, _ := c.leader("TIDEMARK_EVENTS")
		leader.kill()
		s.getOn(t)
		leader.run()
	}
	s.getOn(t)
	stream.Until(t, "the log is healthy", func() bool { return log.Health() == nil })
	s.end()
	if most := time.Duration(s.slowest.Load()); most > 30*time.Second { // and what a busy machine adds
		t.Errorf("an append took %s, and has to be answered within 10 s", most)
	}
	s.check(t, log)
}

// TestAFollowerIsKilled takes away one that follows and starts it again, then the other: two of three
// are enough, and the first has caught up when the second goes.
func TestAFollowerIsKilled(t *testing.T) {
	registry := prometheus.NewRegistry()
	var said journal
	c, log := faulty(t, func(o *stream.Options) {
		o.Metrics, o.Logger, o.ProbeAfter = registry, said.logger(), 200*time.Millisecond
	})
	s := send(t, log, 8)
	s.getOn(t)
	_, followers := c.leader("TIDEMARK_EVENTS")
	for _, follower := range followers {
		expectCopies(t, log, registry, 3)
		follower.kill()
		s.getOn(t)
		expectCopies(t, log, registry, 2)
		if d := log.Durability(); d.Known {
			t.Errorf("durability %+v, though one who keeps a copy cannot tell its setting", d)
		}
		if text := said.String(); !strings.Contains(text, follower.name+" is not heard of") && !strings.Contains(text, follower.name+" is down") {
			t.Errorf("the log does not say that %s is silent: %s", follower.name, text)
		}
		follower.run()
		c.whole("TIDEMARK_EVENTS")
	}
	expectCopies(t, log, registry, 3)
	s.end()
	s.check(t, log)
}

// TestAllServersAreKilled takes away the whole cluster at once, as a power cut does.
func TestAllServersAreKilled(t *testing.T) {
	c, log := faulty(t)
	s := send(t, log, 8)
	s.getOn(t)
	for _, server := range c.nodes {
		server.signal(syscall.SIGKILL)
	}
	refused := s.refused.Load()
	stream.Until(t, "appends are refused", func() bool { return s.refused.Load() > refused })
	stream.Until(t, "the log says that it is unavailable", func() bool { return errors.Is(log.Health(), eventstore.ErrUnavailable) })
	for _, server := range c.nodes {
		server.kill() // waits for its end
		server.launch()
	}
	s.getOn(t)
	stream.Until(t, "the log is healthy", func() bool { return log.Health() == nil })
	s.end()
	s.check(t, log)
}
