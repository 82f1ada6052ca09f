package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/eventstore"
)

func testRoundTrip(s *suite) {
	want := Samples(20)
	receipts := s.append(want...)
	groups := s.readAll()
	s.storedOnce(groups, want, receipts)
}

func testAnyEvent(s *suite) {
	gen := AnyEvent()
	want := make([]eventstore.Event, 50)
	for i := range want {
		want[i] = gen.Example(i)
		want[i].ID[15] = byte(i) // ids are drawn at random and may meet
	}
	receipts := s.append(want...)
	s.storedOnce(s.readAll(), want, receipts)
}

// storedOnce holds that the log has exactly the wanted events, each once and byte for
// byte, and each where its receipt says.
func (s *suite) storedOnce(groups []eventstore.Group, want []eventstore.Event, receipts []eventstore.Receipt) {
	s.Helper()
	stored := make(map[ulid.ULID]eventstore.Record)
	for _, r := range Records(groups) {
		if before, twice := stored[r.ID]; twice {
			s.Fatalf("event %s is stored at %d/%d and at %d/%d", r.ID, before.Position, before.Index, r.Position, r.Index)
		}
		stored[r.ID] = r
	}
	if len(stored) != len(want) {
		s.Fatalf("the log holds %d events, %d were appended", len(stored), len(want))
	}
	for i, e := range want {
		r, ok := stored[e.ID]
		if !ok {
			s.Fatalf("event %s, receipt %+v, is not in the log", e.ID, receipts[i])
		}
		if r.Position != receipts[i].Position || r.Index != receipts[i].Index {
			s.Fatalf("event %s stands at %d/%d, its receipt says %+v", e.ID, r.Position, r.Index, receipts[i])
		}
		s.sameEvent(r.Event, e)
	}
}

func testConcurrentAppends(s *suite) {
	const appenders, each = 64, 15
	want := Samples(appenders * each)
	receipts := make([]eventstore.Receipt, len(want))
	errs := make([]error, appenders)
	var wg sync.WaitGroup
	for a := range appenders {
		wg.Go(func() {
			for i := a * each; i < (a+1)*each && errs[a] == nil; i++ {
				receipts[i], errs[a] = s.store.Append(s.ctx, want[i])
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		s.Fatal(err)
	}
	groups := s.readAll()
	s.storedOnce(groups, want, receipts)
	s.Logf("%d events of %d appenders in %d groups", len(want), appenders, len(groups))
	for a := range appenders {
		s.inOrder(receipts[a*each : (a+1)*each])
	}
}

func testOrder(s *suite) {
	s.inOrder(s.append(Samples(10)...))
}

// inOrder holds that each receipt stands behind the one before.
func (s *suite) inOrder(receipts []eventstore.Receipt) {
	s.Helper()
	for i := 1; i < len(receipts); i++ {
		a, b := receipts[i-1], receipts[i]
		if b.Position < a.Position || b.Position == a.Position && b.Index <= a.Index {
			s.Fatalf("appended after %+v, stored at %+v", a, b)
		}
	}
}

func testAppendCancelled(s *suite) {
	s.append(Sample(0))
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	if _, err := s.store.Append(ctx, Sample(1)); !errors.Is(err, context.Canceled) {
		s.Errorf("append with an ended context: error %v, want context.Canceled", err)
	}
	s.append(Sample(2))
	s.atMostOnce(Samples(3), map[int]bool{0: true, 2: true})
}

func testAppendsCancelledInFlight(s *suite) {
	const n = 64
	events := Samples(n)
	errs := make([]error, n)
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			mine := s.ctx
			if i%2 == 1 {
				mine = ctx
			}
			if i == n/2 {
				cancel()
			}
			_, errs[i] = s.store.Append(mine, events[i])
		})
	}
	wg.Wait()
	acknowledged := make(map[int]bool)
	for i, err := range errs {
		switch {
		case err == nil:
			acknowledged[i] = true
		case i%2 == 0:
			s.Errorf("an append whose context lives: %v", err)
		case !errors.Is(err, context.Canceled):
			s.Errorf("an append whose context ended: error %v, want context.Canceled", err)
		}
	}
	s.atMostOnce(events, acknowledged)
}

// atMostOnce holds that the log has each acknowledged event once, any other at most
// once, and nothing that was never appended.
func (s *suite) atMostOnce(events []eventstore.Event, acknowledged map[int]bool) {
	s.Helper()
	times := make(map[ulid.ULID]int)
	for _, r := range Records(s.readAll()) {
		times[r.ID]++
	}
	known := 0
	for i, e := range events {
		n := times[e.ID]
		known += n
		if n > 1 || acknowledged[i] && n == 0 {
			s.Errorf("event %d (acknowledged: %t) is stored %d times", i, acknowledged[i], n)
		}
	}
	if total := len(Records(s.readAll())); total != known {
		s.Errorf("the log holds %d events, only %d were appended", total, known)
	}
}

func testInvalidEvent(s *suite) {
	bad := Sample(0)
	bad.Headers = []eventstore.Header{{Name: "X-Split", Value: "a\nNats-Rollup: all"}}
	good := Samples(16)[1:]
	receipts := make([]eventstore.Receipt, len(good))
	errs := make([]error, len(good))
	var badErr error
	var wg sync.WaitGroup
	wg.Go(func() { _, badErr = s.store.Append(s.ctx, bad) })
	for i := range good {
		wg.Go(func() { receipts[i], errs[i] = s.store.Append(s.ctx, good[i]) })
	}
	wg.Wait()
	if !errors.Is(badErr, eventstore.ErrInvalid) {
		s.Errorf("append of a header with a line feed: error %v, want ErrInvalid", badErr)
	}
	if err := errors.Join(errs...); err != nil {
		s.Fatalf("the events beside it: %v", err)
	}
	s.storedOnce(s.readAll(), good, receipts)
}

// testBigBody appends bodies of 1 MiB, which is max_body unless the configuration
// says else, among small ones.
func testBigBody(s *suite) {
	events := Samples(6)
	for i := range events {
		if i%2 == 0 {
			events[i].Body = filled(1<<20, i)
		}
	}
	if l, ok := s.store.(Limiter); ok {
		// An event that just fits by its upper bound has to be taken.
		e := &events[4]
		e.Body = nil
		e.Body = filled(l.MaxMessage()-eventstore.GroupOverhead-eventstore.EncodedSize(e), 4)
	}
	receipts := s.append(events...)
	s.storedOnce(s.readAll(), events, receipts)
}

func testTooLarge(s *suite) {
	limit := 64 << 20 // no server takes more
	if l, ok := s.store.(Limiter); ok {
		limit = l.MaxMessage()
	}
	e := Sample(0)
	e.Body = filled(limit+1, 0)
	if _, err := s.store.Append(s.ctx, e); !errors.Is(err, eventstore.ErrTooLarge) {
		s.Errorf("append of %d bytes: error %v, want ErrTooLarge", len(e.Body), err)
	}
	small := []eventstore.Event{Sample(1)}
	receipts := s.append(small...)
	s.storedOnce(s.readAll(), small, receipts)
}

// filled returns n bytes that differ from place to place and from i to i.
func filled(n, i int) []byte {
	pattern := fmt.Appendf(nil, "%d\x00\n", i)
	return bytes.Repeat(pattern, n/len(pattern)+1)[:n]
}
