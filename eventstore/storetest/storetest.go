// Package storetest is the conformance suite of the log: what every store of events
// guarantees, as tests that the in-memory store, the embedded stream and an
// external server all pass. It also gives other tests events to work with.
//
// Guarantee: a store that passes Run keeps the contract of package eventstore as far
// as a test without faults can see it; damage and crashes are tested beside each store.
package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// Store is what the suite looks at: a log that can be written and read.
type Store interface {
	eventstore.Appender
	eventstore.Reader
}

// Reopener is what a Store has that keeps its log across a restart. Reopen ends the
// store in an orderly way and opens the same log again.
type Reopener interface {
	Reopen(t *testing.T) Store
}

// Limiter is what a Store has that knows its largest message.
type Limiter interface {
	// MaxMessage returns the size in bytes of the largest group the store takes.
	MaxMessage() int
}

// patience bounds every wait of the suite; only a store that hangs uses it up.
const patience = time.Minute

// Run holds the store to the contract. open returns a new, empty log for each subtest and
// registers its end with t.Cleanup. A Store may be a Reopener and a Limiter too; what
// it is not is skipped with a message. Cursors should be opened with a short idle time (tens
// of milliseconds): the suite waits it out a few times.
func Run(t *testing.T, open func(t *testing.T) Store) {
	for _, c := range []struct {
		name string
		test func(s *suite)
	}{
		{"an empty log", testEmpty},
		{"what is appended is read back byte for byte", testRoundTrip},
		{"any event is read back byte for byte", testAnyEvent},
		{"concurrent appends are each stored once, where the receipt says", testConcurrentAppends},
		{"appends one after the other stand in that order", testOrder},
		{"an append whose context has ended", testAppendCancelled},
		{"appends whose contexts end in between are stored at most once", testAppendsCancelledInFlight},
		{"an event that cannot be written takes no other with it", testInvalidEvent},
		{"a body of the largest webhook", testBigBody},
		{"an event that exceeds the largest message", testTooLarge},
		{"At returns memory of its own", testAtOwnsItsMemory},
		{"a cursor from any position", testFollowFromMiddle},
		{"a cursor sees what comes later", testFollowLater},
		{"a cursor sees what comes while it waits", testFollowWhileWaiting},
		{"an idle cursor goes on", testIdle},
		{"Buffered never overstates", testBuffered},
		{"a cursor from behind the head", testFollowBeyondHead},
		{"a Next whose context ends", testNextCancelled},
		{"a closed cursor", testCursorClose},
		{"many cursors beside appends", testManyCursors},
		{"a restart keeps everything", testReopen},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			c.test(&suite{T: t, ctx: ctx, store: open(t)})
		})
	}
}

// suite is one subtest at work: a store, and what the tests do with it again and again.
type suite struct {
	*testing.T
	ctx   context.Context
	store Store
}

// append appends events one after the other and returns their receipts.
func (s *suite) append(events ...eventstore.Event) []eventstore.Receipt {
	s.Helper()
	receipts := make([]eventstore.Receipt, len(events))
	for i, e := range events {
		var err error
		if receipts[i], err = s.store.Append(s.ctx, e); err != nil {
			s.Fatalf("append %d of %d: %v", i+1, len(events), err)
		}
	}
	return receipts
}

func (s *suite) head() eventstore.Position {
	s.Helper()
	head, err := s.store.Head(s.ctx)
	if err != nil {
		s.Fatalf("head: %v", err)
	}
	return head
}

// follow opens a cursor that ends with the test.
func (s *suite) follow(after eventstore.Position) eventstore.Cursor {
	s.Helper()
	c, err := s.store.Follow(s.ctx, after)
	if err != nil {
		s.Fatalf("follow after %d: %v", after, err)
	}
	s.Cleanup(func() { _ = c.Close() }) // a test may have closed it already
	return c
}

// next returns a copy of the cursor's next group, however often it says ErrIdle before.
func (s *suite) next(c eventstore.Cursor) eventstore.Group {
	s.Helper()
	g, err := nextGroup(s.ctx, c)
	if err != nil {
		s.Fatalf("next: %v", err)
	}
	return g
}

// at returns the group at p.
func (s *suite) at(p eventstore.Position) eventstore.Group {
	s.Helper()
	g, err := s.store.At(s.ctx, p)
	if err != nil {
		s.Fatalf("at %d: %v", p, err)
	}
	return g
}

// readAll reads the whole log by a cursor, holds it against At, and returns the groups.
func (s *suite) readAll() []eventstore.Group {
	s.Helper()
	groups, err := ReadAll(s.ctx, s.store)
	if err != nil {
		s.Fatal(err)
	}
	for _, g := range groups {
		s.sameGroup(s.at(g.Position), g)
	}
	return groups
}

func (s *suite) sameGroup(got, want eventstore.Group) {
	s.Helper()
	if got.Position != want.Position || got.ID != want.ID || got.Size != want.Size || len(got.Events) != len(want.Events) {
		s.Fatalf("group at %d: id %s, %d bytes, %d events; want position %d, id %s, %d bytes, %d events",
			got.Position, got.ID, got.Size, len(got.Events), want.Position, want.ID, want.Size, len(want.Events))
	}
	for i := range want.Events {
		s.sameEvent(got.Events[i], want.Events[i])
	}
}

func (s *suite) sameEvent(got, want eventstore.Event) {
	s.Helper()
	if diff := Diff(got, want); diff != "" {
		s.Fatal(diff)
	}
}
