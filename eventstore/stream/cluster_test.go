package stream_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
)

// startCluster runs three servers that keep streams together.
func startCluster(t *testing.T) (servers []*server, urls string) {
	t.Helper()
	var routes, all []string
	for range 3 {
		routes = append(routes, freeAddr(t))
	}
	for i, r := range routes {
		config := fmt.Sprintf("server_name: n%d\ncluster { name: c, listen: %q, routes: [%q, %q, %q] }\n", i, r, "nats://"+routes[0], "nats://"+routes[1], "nats://"+routes[2])
		s := prepareServer(t, config)
		s.launch()
		servers, all = append(servers, s), append(all, s.url())
	}
	for _, s := range servers {
		s.awaitHealth()
	}
	return servers, strings.Join(all, ",")
}

// TestAClusterWhoseServersAreKilled kills one server of three after the other while senders
// append: what is acknowledged is there once, and the log goes on.
func TestAClusterWhoseServersAreKilled(t *testing.T) {
	if os.Getenv("TIDEMARK_LONG") != "1" {
		t.Skip("TIDEMARK_LONG is not set: three servers and their elections take a while")
	}
	servers, urls := startCluster(t)
	log := start(t, stream.Options{URL: urls, Replicas: 3})
	var acknowledged sync.Map
	var count, sent atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var sending sync.WaitGroup
	for range 8 {
		sending.Go(func() {
			for ctx.Err() == nil {
				e := webhook(int(sent.Add(1)))
				switch _, err := log.Append(ctx, e); {
				case err == nil:
					acknowledged.Store(e.ID, true)
					count.Add(1)
				case errors.Is(err, eventstore.ErrIntegrity):
					t.Errorf("a whole cluster is taken for damaged: %v", err)
					return
				default:
					time.Sleep(time.Millisecond) // as a sender would
				}
			}
		})
	}
	for _, s := range servers {
		getOn := func() { count.Store(0); until(t, "senders get on", func() bool { return count.Load() > 300 }) }
		getOn()
		s.kill()
		getOn()
		s.run()
	}
	stop()
	sending.Wait()
	seen := readIDs(t, log)
	acknowledged.Range(func(id, _ any) bool {
		if seen[id.(ulid.ULID)] != 1 {
			t.Errorf("event %s was acknowledged and is stored %d times", id, seen[id.(ulid.ULID)])
		}
		return !t.Failed()
	})
}
