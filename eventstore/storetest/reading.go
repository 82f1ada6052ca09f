package storetest

import (
	"context"
	"errors"
	"sync"

	"github.com/tidemark-dev/tidemark/eventstore"
)

func testEmpty(s *suite) {
	if head := s.head(); head != 0 {
		s.Errorf("the head of an empty log is %d", head)
	}
	for _, p := range []eventstore.Position{0, 1, 1 << 40} {
		s.notFound(p)
	}
	c := s.follow(0)
	s.idle(c)
	if n := c.Buffered(); n != 0 {
		s.Errorf("a cursor of an empty log has %d groups buffered", n)
	}
}

func (s *suite) notFound(p eventstore.Position) {
	s.Helper()
	if _, err := s.store.At(s.ctx, p); !errors.Is(err, eventstore.ErrNotFound) {
		s.Errorf("at %d: error %v, want ErrNotFound", p, err)
	}
}

// idle holds that the cursor has nothing to give.
func (s *suite) idle(c eventstore.Cursor) {
	s.Helper()
	if g, err := c.Next(s.ctx); !errors.Is(err, eventstore.ErrIdle) {
		s.Fatalf("next at the head: position %d, error %v, want ErrIdle", g.Position, err)
	}
}

func testAtOwnsItsMemory(s *suite) {
	s.append(Samples(5)...)
	kept := s.at(1)
	want := Clone(kept.Events[0])
	for p := range s.head() {
		s.at(p + 1)
	}
	s.readAll()
	s.append(Samples(10)[5:]...)
	s.sameEvent(kept.Events[0], want)

	for i := range kept.Events[0].Body {
		kept.Events[0].Body[i] = '!'
	}
	s.sameEvent(s.at(1).Events[0], want)
	s.notFound(s.head() + 1)
}

func testFollowFromMiddle(s *suite) {
	s.append(Samples(6)...)
	groups := s.readAll()
	for after := range len(groups) + 1 {
		c := s.follow(eventstore.Position(after))
		for _, want := range groups[after:] {
			s.sameGroup(s.next(c), want)
		}
		s.idle(c)
	}
}

func testFollowLater(s *suite) {
	c := s.follow(0)
	for i := range 5 {
		receipt := s.append(Sample(i))[0]
		g := s.next(c)
		if g.Position != receipt.Position {
			s.Fatalf("appended at %d, the cursor gave position %d", receipt.Position, g.Position)
		}
		s.sameEvent(g.Events[receipt.Index], Sample(i))
	}
}

func testFollowWhileWaiting(s *suite) {
	const n = 20
	c := s.follow(s.head())
	s.idle(c)
	events := make(chan eventstore.Event, n)
	failed := make(chan error, 1)
	go func() {
		defer close(events)
		for got := 0; got < n; {
			g, err := nextGroup(s.ctx, c)
			if err != nil {
				failed <- err
				return
			}
			for _, e := range g.Events {
				events <- e
			}
			got += len(g.Events)
		}
	}()
	for i := range n {
		s.append(Sample(i))
		e, ok := <-events
		if !ok {
			s.Fatalf("the waiting cursor: %v", <-failed)
		}
		s.sameEvent(e, Sample(i))
	}
}

func testIdle(s *suite) {
	c := s.follow(0)
	for i := range 3 {
		s.idle(c)
		s.append(Sample(i))
		s.sameEvent(s.next(c).Events[0], Sample(i))
	}
	s.idle(c)
	s.idle(c)
}

func testBuffered(s *suite) {
	s.append(Samples(40)...)
	head := s.head()
	c := s.follow(0)
	var last eventstore.Position
	for last < head {
		n := c.Buffered()
		if n < 0 || n > int(head-last) {
			s.Fatalf("%d groups are buffered behind position %d of %d", n, last, head)
		}
		if n == 0 {
			last = s.next(c).Position
			continue
		}
		for range n {
			g, err := c.Next(s.ctx)
			if err != nil {
				s.Fatalf("%d groups were said to be buffered; next behind %d: %v", n, last, err)
			}
			last = g.Position
		}
	}
	s.idle(c)
	if n := c.Buffered(); n != 0 {
		s.Errorf("%d groups are buffered at the head", n)
	}
}

// testFollowBeyondHead is a checkpoint that the log has not reached: it lost its tail, or it
// is another log. That shows when the cursor is opened or when it is first asked.
func testFollowBeyondHead(s *suite) {
	s.append(Samples(3)...)
	c, err := s.store.Follow(s.ctx, s.head()+1)
	if err == nil {
		defer c.Close()
		_, err = c.Next(s.ctx)
	}
	if !errors.Is(err, eventstore.ErrIntegrity) {
		s.Errorf("following from behind the head: error %v, want ErrIntegrity", err)
	}
}

func testNextCancelled(s *suite) {
	c := s.follow(0)
	ctx, cancel := context.WithCancel(s.ctx)
	result := make(chan error, 1)
	go func() {
		_, err := nextGroup(ctx, c)
		result <- err
	}()
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		s.Fatalf("a Next whose context ended: error %v, want context.Canceled", err)
	}
	s.append(Sample(0))
	s.sameEvent(s.next(c).Events[0], Sample(0))
}

func testCursorClose(s *suite) {
	closed, open := s.follow(0), s.follow(0)
	result := make(chan error, 1)
	go func() {
		_, err := nextGroup(s.ctx, closed)
		result <- err
	}()
	if err := closed.Close(); err != nil {
		s.Fatalf("close: %v", err)
	}
	if err := <-result; err == nil || s.ctx.Err() != nil {
		s.Errorf("a Next beside Close on an empty log: error %v, want one that is not the test's own time-out", err)
	}
	s.append(Sample(0))
	if g, err := closed.Next(s.ctx); err == nil {
		s.Errorf("a closed cursor gave position %d", g.Position)
	}
	s.sameEvent(s.next(open).Events[0], Sample(0))
}

func testManyCursors(s *suite) {
	const cursors, appenders, each = 4, 8, 20
	errs := make([]error, cursors+appenders)
	seen := make([][]eventstore.Group, cursors)
	var wg sync.WaitGroup
	for i := range cursors {
		c := s.follow(0)
		wg.Go(func() {
			for events := 0; events < appenders*each && errs[i] == nil; {
				var g eventstore.Group
				g, errs[i] = nextGroup(s.ctx, c)
				seen[i] = append(seen[i], g)
				events += len(g.Events)
			}
		})
	}
	for a := range appenders {
		wg.Go(func() {
			for i := a * each; i < (a+1)*each && errs[cursors+a] == nil; i++ {
				_, errs[cursors+a] = s.store.Append(s.ctx, Sample(i))
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		s.Fatal(err)
	}
	want := s.readAll()
	for i := range seen {
		if len(seen[i]) != len(want) {
			s.Fatalf("cursor %d saw %d groups, the log holds %d", i, len(seen[i]), len(want))
		}
		for j := range want {
			s.sameGroup(seen[i][j], want[j])
		}
	}
}

func testReopen(s *suite) {
	r, ok := s.store.(Reopener)
	if !ok {
		s.Skip("the store is not a storetest.Reopener, so a restart is not tested here")
	}
	want := Samples(12)
	receipts := s.append(want[:8]...)
	before := s.readAll()
	s.store = r.Reopen(s.T)
	after := s.readAll()
	if len(after) != len(before) {
		s.Fatalf("%d groups before the restart, %d after it", len(before), len(after))
	}
	for i := range before {
		s.sameGroup(after[i], before[i])
	}
	c := s.follow(before[3].Position)
	s.sameGroup(s.next(c), before[4])

	receipts = append(receipts, s.append(want[8:]...)...)
	s.inOrder(receipts)
	s.storedOnce(s.readAll(), want, receipts)
}
