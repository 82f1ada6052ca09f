package stream

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/storetest"
)

// TestAStalledReaderHoldsFewBytes reads one group of a long log and then nothing: what the server sent
// and the cursor holds stays within the read-ahead. Then it goes on, without a gap.
func TestAStalledReaderHoldsFewBytes(t *testing.T) {
	const groups, body, readAhead = 200, 256 * kib, 9 * mib // more than the largest message
	l := openRunning(t, Options{Dir: t.TempDir(), NoSync: true, ReadAhead: readAhead, MaxGroupBytes: body, AppendTimeout: maxAppendTimeout})
	var wg sync.WaitGroup
	for i := range groups {
		wg.Go(func() {
			e := storetest.Sample(i)
			e.Body = make([]byte, body)
			if _, err := l.Append(t.Context(), e); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	follower, err := l.Follow(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer follower.Close()
	c := follower.(*cursor)
	before := l.link.Load().nc.Stats().InBytes
	if _, err := c.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	lk := l.link.Load()
	// No request waits at the server also before it has come in.
	Until(t, "the server has filled the request", func() bool {
		consumer, err := lk.js.Consumer(t.Context(), c.feed.stream, c.feed.consumer)
		return err == nil && consumer.CachedInfo().NumWaiting == 0 && lk.nc.Stats().InBytes-before >= readAhead/2
	})
	if err := lk.nc.Flush(); err != nil { // all that the server sent is here
		t.Fatal(err)
	}
	if got := lk.nc.Stats().InBytes - before; got > readAhead+4*body { // a slow machine fetches the first by itself
		t.Errorf("a stalled reader holds %d bytes, the read-ahead is %d", got, readAhead)
	}
	if n := c.Buffered(); n < 1 || n > readAhead/body {
		t.Errorf("%d groups are buffered", n)
	}
	for p := eventstore.Position(2); p <= groups; p++ {
		g, err := c.Next(t.Context())
		if err != nil || g.Position != p {
			t.Fatalf("position %d, error %v; want position %d", g.Position, err, p)
		}
	}
	if _, err := c.Next(t.Context()); !errors.Is(err, eventstore.ErrIdle) {
		t.Errorf("at the head: error %v, want ErrIdle", err)
	}
}

// openRunning opens a log and keeps its Run going until the test ends.
func openRunning(t *testing.T, opts Options) *Log {
	t.Helper()
	l, ended := openWithRun(t, opts)
	t.Cleanup(func() {
		l.queue.close() // as the end of Run's context does
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return l
}

// openWithRun opens a log with its Run going, and gives what Run returns.
func openWithRun(t *testing.T, opts Options) (l *Log, ended chan error) {
	t.Helper()
	opts.Now, opts.Idle = time.Now, 30*time.Millisecond
	l, err := Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	ended = make(chan error, 1)
	go func() { ended <- l.Run(t.Context()) }()
	return l, ended
}
