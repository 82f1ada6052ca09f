package stream_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/storetest"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
)

// waitingLog opens a log whose Run is not going, so that what is appended waits.
func waitingLog(t *testing.T, opts stream.Options) *stream.Log {
	t.Helper()
	opts.Dir, opts.Now, opts.Idle = t.TempDir(), time.Now, 30*time.Millisecond
	log, err := stream.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return log
}

// appended is an append under way.
type appended struct {
	wg       sync.WaitGroup
	receipts []eventstore.Receipt
	errs     []error
}

// appendAll appends events that wait behind one another, in their order.
func appendAll(t *testing.T, log *stream.Log, events ...eventstore.Event) *appended {
	t.Helper()
	a := &appended{receipts: make([]eventstore.Receipt, len(events)), errs: make([]error, len(events))}
	for i, e := range events {
		a.wg.Go(func() { a.receipts[i], a.errs[i] = log.Append(t.Context(), e) })
		stream.Until(t, "the append waits", func() bool { return waiting(t, log) == i+1 })
	}
	return a
}

func waiting(t *testing.T, log *stream.Log) int {
	t.Helper()
	s, err := log.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.Waiting
}

// runUntilDrained lets Run commit what waits.
func runUntilDrained(t *testing.T, log *stream.Log) {
	t.Helper()
	ended, end := context.WithCancel(t.Context())
	end()
	if err := log.Run(ended); err != nil {
		t.Errorf("run: %v", err)
	}
}

// expectGroups holds that the log's groups have these numbers of events.
func expectGroups(t *testing.T, log *stream.Log, want ...int) {
	t.Helper()
	groups, err := storetest.ReadAll(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, g := range groups {
		got = append(got, len(g.Events))
	}
	if len(got) != len(want) {
		t.Fatalf("groups of %v events, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("groups of %v events, want %v", got, want)
		}
	}
}

// TestWhatWaitsSharesAMessage appends 64 events while nothing commits, and ends Run at once:
// it first commits what waits.
func TestWhatWaitsSharesAMessage(t *testing.T) {
	log := waitingLog(t, stream.Options{})
	events := storetest.Samples(64)
	a := appendAll(t, log, events...)
	runUntilDrained(t, log)
	a.wg.Wait()
	for i, err := range a.errs {
		if err != nil {
			t.Fatalf("append %d: %v", i, err)
		}
		if want := (eventstore.Receipt{Position: 1, Index: i}); a.receipts[i] != want {
			t.Fatalf("event %d of those that waited has receipt %+v, want %+v", i, a.receipts[i], want)
		}
	}
	expectGroups(t, log, 64)
	if _, err := log.Append(t.Context(), storetest.Sample(64)); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("append after Run has ended: error %v, want ErrClosed", err)
	}
}

func TestALoneEventGoesAlone(t *testing.T) {
	log := start(t, stream.Options{Dir: t.TempDir()})
	for i := range 5 {
		r, err := log.Append(t.Context(), storetest.Sample(i))
		if err != nil {
			t.Fatal(err)
		}
		if want := (eventstore.Receipt{Position: eventstore.Position(i + 1)}); r != want {
			t.Fatalf("receipt %+v, want %+v", r, want)
		}
	}
}

func TestGroupsKeepTheirBounds(t *testing.T) {
	big := storetest.Sample(3)
	big.Body = make([]byte, 64<<10)
	for _, c := range []struct {
		name   string
		opts   stream.Options
		events []eventstore.Event
		groups []int
	}{
		{"events", stream.Options{MaxGroupEvents: 4}, storetest.Samples(10), []int{4, 4, 2}},
		{"bytes", stream.Options{MaxGroupBytes: 4 << 10}, []eventstore.Event{webhook(0), webhook(1), webhook(2), webhook(3), webhook(4), webhook(5)}, []int{5, 1}},
		{"a big event goes alone", stream.Options{MaxGroupBytes: 4 << 10}, []eventstore.Event{webhook(0), webhook(1), big, webhook(4)}, []int{2, 1, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := waitingLog(t, c.opts)
			a := appendAll(t, log, c.events...)
			runUntilDrained(t, log)
			a.wg.Wait()
			if err := errors.Join(a.errs...); err != nil {
				t.Fatal(err)
			}
			expectGroups(t, log, c.groups...)
		})
	}
}

func TestWaitingIsBounded(t *testing.T) {
	size := eventstore.EncodedSize(&[]eventstore.Event{webhook(0)}[0])
	for _, c := range []struct {
		name string
		opts stream.Options
	}{
		{"in number", stream.Options{MaxWaiting: 3}},
		{"in bytes", stream.Options{MaxWaitingBytes: 3*size + size/2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := waitingLog(t, c.opts)
			a := appendAll(t, log, webhook(0), webhook(1), webhook(2))
			if _, err := log.Append(t.Context(), webhook(3)); !errors.Is(err, eventstore.ErrBusy) {
				t.Errorf("the fourth append: error %v, want ErrBusy", err)
			}
			runUntilDrained(t, log)
			a.wg.Wait()
			if err := errors.Join(a.errs...); err != nil {
				t.Fatal(err)
			}
			expectGroups(t, log, 3)
		})
	}
}

func TestAWaitingAppendWhoseContextEndsIsNotStored(t *testing.T) {
	log := waitingLog(t, stream.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	e := webhook(0)
	go func() {
		_, err := log.Append(ctx, e)
		clear(e.Body) // ours again
		failed <- err
	}()
	stream.Until(t, "the append waits", func() bool { return waiting(t, log) == 1 })
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("append: error %v, want context.Canceled", err)
	}
	var receipt eventstore.Receipt
	go func() {
		var err error
		receipt, err = log.Append(t.Context(), webhook(1))
		failed <- err
	}()
	stream.Until(t, "another waits behind it", func() bool { return waiting(t, log) == 2 })
	runUntilDrained(t, log)
	if err := <-failed; err != nil || receipt != (eventstore.Receipt{Position: 1}) {
		t.Errorf("the append behind it: receipt %+v, error %v", receipt, err)
	}
	expectGroups(t, log, 1)
}

func TestAnAppendNeverHangs(t *testing.T) {
	log := waitingLog(t, stream.Options{AppendTimeout: 100 * time.Millisecond})
	ctx, done := context.WithTimeout(t.Context(), stream.Patience)
	defer done()
	if _, err := log.Append(ctx, webhook(0)); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("append that nothing commits: error %v, want ErrUnavailable", err)
	}
	runUntilDrained(t, log)
	expectGroups(t, log)
}
