package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/storetest"
)

// appendOne appends a group of one event.
func appendOne(t *testing.T, l *Log, i int) {
	t.Helper()
	if _, err := l.Append(t.Context(), storetest.Sample(i)); err != nil {
		t.Fatal(err)
	}
}

// followFrom opens a cursor behind a position, until the test ends.
func followFrom(t *testing.T, l *Log, after eventstore.Position) *cursor {
	t.Helper()
	c, err := l.Follow(t.Context(), after)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c.(*cursor)
}

// expectNext has a cursor deliver the positions from one to another.
func expectNext(t *testing.T, c eventstore.Cursor, from, to eventstore.Position) {
	t.Helper()
	for p := from; p <= to; p++ {
		g, err := c.Next(t.Context())
		if err != nil || g.Position != p {
			t.Fatalf("position %d, error %v; want position %d", g.Position, err, p)
		}
	}
}

// TestFollowersAtTheHeadAskNoServer: who has all before it reads what is stored from memory.
func TestFollowersAtTheHeadAskNoServer(t *testing.T) {
	l := openRunning(t, Options{Dir: t.TempDir(), NoSync: true})
	appendOne(t, l, 0)
	c := followFrom(t, l, 1)
	for i := 1; i <= 20; i++ {
		appendOne(t, l, i)
		if i == 10 {
			expectNext(t, c, 2, 11)
		}
	}
	if n := c.Buffered(); n != 10 {
		t.Errorf("%d groups are here, want 10", n)
	}
	expectNext(t, c, 12, 21)
	if c.feed != nil {
		t.Error("the cursor has a consumer at the server")
	}
}

// TestAFollowerThatFellBehindCatchesUp has groups dropped from the tail before a reader had them.
func TestAFollowerThatFellBehindCatchesUp(t *testing.T) {
	const kept = 10
	l := openRunning(t, Options{Dir: t.TempDir(), NoSync: true, Tail: kept * eventstore.EncodedSize(new(storetest.Sample(0)))})
	c := followFrom(t, l, 0)
	appendOne(t, l, 0)
	expectNext(t, c, 1, 1)
	for i := 1; i < 5*kept; i++ {
		appendOne(t, l, i)
	}
	if len(l.tail.messages) > kept || l.tail.first < 2 {
		t.Fatalf("%d messages are kept, from position %d on", len(l.tail.messages), l.tail.first)
	}
	expectNext(t, c, 2, 2)
	if c.feed == nil {
		t.Error("what is not kept was not asked for")
	}
	expectNext(t, c, 3, 5*kept)
	if c.feed != nil {
		t.Error("at the head the cursor asks the server still")
	}
}

// TestWhatWasStoredBeforeIsReadFromTheServer: a rebuild and a verification are to read what the disk
// gives back, and not what this process remembers.
func TestWhatWasStoredBeforeIsReadFromTheServer(t *testing.T) {
	l := openRunning(t, Options{Dir: t.TempDir(), NoSync: true})
	follower := followFrom(t, l, 0)
	for i := range 5 {
		appendOne(t, l, i)
	}
	later := followFrom(t, l, 0)
	if n := later.Buffered(); n != 0 {
		t.Errorf("%d groups are here before the server was asked", n)
	}
	l.tail.mu.Lock()
	for i := range l.tail.messages {
		l.tail.messages[i] = []byte("no group") // memory and disk are told apart
	}
	l.tail.mu.Unlock()
	expectNext(t, later, 1, 5)
	if g, err := follower.Next(t.Context()); err == nil {
		t.Fatalf("the follower was given position %d by the server", g.Position)
	}
	appendOne(t, l, 5)
	expectNext(t, later, 6, 6)
	if later.feed != nil {
		t.Error("at the head the cursor asks the server still")
	}
}

// TestTheTailHasNoGroupOfOthers has somebody else write to the stream, so that the log
// learns of a position that it did not store.
func TestTheTailHasNoGroupOfOthers(t *testing.T) {
	l := openRunning(t, Options{Dir: t.TempDir(), NoSync: true})
	c := followFrom(t, l, 0)
	appendOne(t, l, 0)
	expectNext(t, c, 1, 1)
	message, _, _ := l.tail.at(l.link.Load(), 1)
	for i := range 3 {
		m := &nats.Msg{Subject: l.opts.eventsSubject(), Data: message, Header: nats.Header{nats.MsgIdHdr: {fmt.Sprint("other", i)}}}
		if _, err := l.link.Load().js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			expectNext(t, c, 2, 2) // nothing tells the cursor but its own looking
		}
	}
	appendOne(t, l, 1)
	if l.tail.first != 5 || len(l.tail.messages) != 1 {
		t.Errorf("%d messages are kept, from position %d on; want one, at 5", len(l.tail.messages), l.tail.first)
	}
	expectNext(t, c, 3, 5)
}

// TestAnEarlyRequestIsMadeAgainUnderLoad: a member of a cluster that had not heard of the consumer yet is asked
// again after a pause, however often something is stored meanwhile.
func TestAnEarlyRequestIsMadeAgainUnderLoad(t *testing.T) {
	l := openRunning(t, Options{Dir: t.TempDir(), NoSync: true})
	appendOne(t, l, 0)
	c := followFrom(t, l, 0)
	var err error
	if c.feed, err = l.openFeed(t.Context(), l.link.Load(), 1); err != nil {
		t.Fatal(err)
	}
	c.feed.early = true
	ctx, done := context.WithTimeout(t.Context(), 10*time.Second)
	defer done()
	var wg sync.WaitGroup
	defer wg.Wait()
	load, over := context.WithCancel(ctx)
	defer over()
	wg.Go(func() {
		tick := time.NewTicker(earlyPause / 20)
		defer tick.Stop()
		for load.Err() == nil {
			l.tail.grown.fire()
			<-tick.C
		}
	})
	for c.feed.early {
		if _, err := c.wait(ctx, nil); err != nil {
			t.Fatal(err)
		}
	}
	expectNext(t, c, 1, 1)
}

// TestTheTailEndsWithItsConnection: what is behind a new connection has to say itself what it holds.
func TestTheTailEndsWithItsConnection(t *testing.T) {
	l := openRunning(t, Options{Dir: t.TempDir(), NoSync: true})
	appendOne(t, l, 0)
	lk := l.link.Load()
	if m, _, comes := l.tail.at(lk, 1); m == nil || !comes {
		t.Fatal("what was stored is not kept")
	}
	lk.epoch.Add(1) // as a break does
	if m, _, comes := l.tail.at(lk, 1); m != nil || comes {
		t.Error("it is kept for another connection")
	}
	if _, _, comes := l.tail.at(lk, 2); comes {
		t.Error("what comes next is not asked for")
	}
}

// TestManyFollowTheTail has readers run into a log that is written meanwhile, with a tail that
// keeps a few groups, so that they change between it and the server at any moment.
func TestManyFollowTheTail(t *testing.T) {
	const groups, readers = 400, 4
	l := openRunning(t, Options{Dir: t.TempDir(), NoSync: true, MaxGroupEvents: 1, Tail: 4 * eventstore.EncodedSize(new(storetest.Sample(0)))})
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			c, err := l.Follow(t.Context(), 0)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			for p := eventstore.Position(1); p <= groups; {
				g, err := c.Next(t.Context())
				switch {
				case err == nil && g.Position == p:
					p++
				case errors.Is(err, eventstore.ErrIdle):
				default:
					t.Errorf("position %d, error %v; want position %d", g.Position, err, p)
					return
				}
			}
		})
	}
	for i := range groups {
		appendOne(t, l, i)
	}
	wg.Wait()
}
