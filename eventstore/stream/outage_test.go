package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/storetest"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
)

// proxy stands between a log and its server, counts publishes to the log's subject, and can hold back
// what the server answers.
type proxy struct {
	addr      string
	publishes atomic.Int64
	held      sync.RWMutex // held for writing: answers wait
}

func startProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &proxy{addr: l.Addr().String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				continue
			}
			go p.copy(server, client, func(b []byte) { p.publishes.Add(int64(bytes.Count(b, []byte("PUB TIDEMARK.events ")))) })
			go p.copy(client, server, func([]byte) {
				p.held.RLock() // waits while acks are held
				defer p.held.RUnlock()
			})
		}
	}()
	return p
}

func (p *proxy) copy(to, from net.Conn, see func([]byte)) {
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		see(buf[:n])
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

// TestARepeatedPublishIsStoredOnce holds acknowledgements back until the log has
// published again.
func TestARepeatedPublishIsStoredOnce(t *testing.T) {
	p := startProxy(t, startServer(t).addr)
	log := start(t, stream.Options{URL: "nats://" + p.addr, AckWait: 100 * time.Millisecond})
	if _, err := log.Append(t.Context(), webhook(0)); err != nil {
		t.Fatal(err)
	}
	p.held.Lock()
	a := new(appended)
	a.receipts, a.errs = make([]eventstore.Receipt, 1), make([]error, 1)
	a.wg.Go(func() { a.receipts[0], a.errs[0] = log.Append(t.Context(), webhook(1)) })
	stream.Until(t, "the publish is repeated", func() bool { return p.publishes.Load() >= 3 })
	p.held.Unlock()
	a.wg.Wait()
	if a.errs[0] != nil || a.receipts[0].Position != 2 {
		t.Fatalf("the repeated publish: receipt %+v, error %v; want position 2", a.receipts[0], a.errs[0])
	}
	if r, err := log.Append(t.Context(), webhook(2)); err != nil || r.Position != 3 {
		t.Fatalf("the publish after it: receipt %+v, error %v; want position 3", r, err)
	}
	expectGroups(t, log.Log, 1, 1, 1)
}

// TestAServerThatStandsStill stops the server's process: appends fail in time, and what they
// sent is stored at most once when it goes on.
func TestAServerThatStandsStill(t *testing.T) {
	server := startServer(t)
	opts := server.options("")
	opts.AppendTimeout, opts.AckWait = time.Second, 200*time.Millisecond
	log := start(t, opts)
	if _, err := log.Append(t.Context(), webhook(0)); err != nil {
		t.Fatal(err)
	}
	server.stop()
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			ctx, done := context.WithTimeout(t.Context(), stream.Patience) // the server stands as long as it takes
			defer done()
			_, err := log.Append(ctx, webhook(1+i))
			if !errors.Is(err, eventstore.ErrUnavailable) {
				t.Errorf("append to a server that stands still: error %v, want ErrUnavailable", err)
			}
		})
	}
	wg.Wait()
	stream.Until(t, "the log says that it is unavailable", func() bool { return errors.Is(log.Health(), eventstore.ErrUnavailable) })
	server.signal(syscall.SIGCONT)
	stored := appendPatiently(t, log, webhook(100))
	stream.Until(t, "the log is healthy", func() bool { return log.Health() == nil })
	seen := readIDs(t, log)
	for id, n := range seen {
		if n > 1 {
			t.Errorf("event %s is stored %d times", id, n)
		}
	}
	if seen[webhook(0).ID] != 1 || seen[stored] != 1 {
		t.Error("an acknowledged event is not stored")
	}
}

// appendPatiently appends an event again and again, as a sender does, until it is stored. It
// returns its id.
func appendPatiently(t *testing.T, log *running, e eventstore.Event) ulid.ULID {
	t.Helper()
	stream.Until(t, "an append succeeds", func() bool {
		_, err := log.Append(t.Context(), e)
		if err != nil {
			e.ID[0]++ // another attempt is another event
		}
		return err == nil
	})
	return e.ID
}

// readIDs reads the log and counts how often each id is there.
func readIDs(t *testing.T, log *running) map[ulid.ULID]int {
	t.Helper()
	groups, err := storetest.ReadAll(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[ulid.ULID]int)
	for _, r := range storetest.Records(groups) {
		seen[r.ID]++
	}
	return seen
}

// TestTheServerIsKilledUnderLoad kills and restarts the server while senders append and a
// cursor follows.
func TestTheServerIsKilledUnderLoad(t *testing.T) {
	const senders, rounds = 16, 2
	server := startServer(t)
	log := start(t, server.options(""))
	var acknowledged sync.Map
	var count atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := s; ctx.Err() == nil; i += senders {
				e := webhook(i)
				switch _, err := log.Append(ctx, e); {
				case err == nil:
					acknowledged.Store(e.ID, true)
					count.Add(1)
				case !errors.Is(err, eventstore.ErrUnavailable) && !errors.Is(err, context.Canceled):
					t.Errorf("append: %v", err)
					return
				default:
					time.Sleep(time.Millisecond) // as a sender would, or refusals at once fill the test
				}
			}
		})
	}
	followed := make(chan error, 1)
	var reached atomic.Uint64
	following, stopFollowing := context.WithCancel(t.Context())
	defer stopFollowing()
	go func() { followed <- follow(following, log, &reached) }()
	for range rounds {
		stream.Until(t, "senders get on", func() bool { return count.Load() > 500 })
		server.kill()
		stream.Until(t, "appends fail", func() bool {
			begin := time.Now()
			_, err := log.Append(t.Context(), webhook(1<<30))
			return errors.Is(err, eventstore.ErrUnavailable) && time.Since(begin) < 50*time.Millisecond
		})
		if err := log.Health(); !errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("health while the server is away: %v, want ErrUnavailable", err)
		}
		server.run()
		count.Store(0)
	}
	stream.Until(t, "senders get on", func() bool { return count.Load() > 500 })
	stop()
	wg.Wait()
	head, err := log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// What the senders left behind when they stopped may be stored after this look at the head.
	stream.Until(t, "the cursor is at the head", func() bool { return reached.Load() >= uint64(head) })
	stopFollowing()
	if err := <-followed; !errors.Is(err, context.Canceled) {
		t.Errorf("the cursor: %v", err)
	}
	stream.Until(t, "nothing waits", func() bool { return waiting(t, log.Log) == 0 })
	seen := readIDs(t, log)
	stored, acked := len(seen), 0
	acknowledged.Range(func(id, _ any) bool {
		acked++
		if seen[id.(ulid.ULID)] != 1 {
			t.Errorf("event %s was acknowledged and is stored %d times", id, seen[id.(ulid.ULID)])
		}
		return !t.Failed()
	})
	t.Logf("%d events acknowledged, %d stored in %d groups", acked, stored, head)
}

// follow reads until ctx ends; being out of reach is no reason to give up.
func follow(ctx context.Context, log *running, reached *atomic.Uint64) error {
	c, err := log.Follow(ctx, 0)
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		g, err := c.Next(ctx)
		switch {
		case errors.Is(err, eventstore.ErrIdle), errors.Is(err, eventstore.ErrUnavailable):
			continue
		case err != nil:
			return err
		case uint64(g.Position) != reached.Load()+1:
			return fmt.Errorf("position %d follows %d", g.Position, reached.Load())
		}
		reached.Store(uint64(g.Position))
	}
}
