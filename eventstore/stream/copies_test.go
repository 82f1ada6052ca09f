package stream_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
)

// TestCopiesThatASingleServerCannotKeep are refused at once, with a new log and with one that is there.
func TestCopiesThatASingleServerCannotKeep(t *testing.T) {
	server := startServer(t)
	three := server.options("")
	three.Now, three.Replicas = time.Now, 3
	for range 2 {
		log, err := stream.Open(t.Context(), three)
		if err == nil {
			log.Close()
			t.Fatal("a single server keeps three copies")
		}
		if errors.Is(err, eventstore.ErrUnavailable) || !strings.Contains(err.Error(), "set nats.replicas to 1") {
			t.Errorf("error %v, want one that says what to set, and is not waited for", err)
		}
		one := start(t, server.options(""))
		if _, err := one.Append(t.Context(), webhook(0)); err != nil {
			t.Fatal(err)
		}
		if err := one.stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCopiesAreRaised gives a log of one copy three, takes away the server that had the one, and reads
// all of it.
func TestCopiesAreRaised(t *testing.T) {
	needsLong(t, "the cluster takes up to ten seconds to elect another leader")
	t.Parallel()
	c := startCluster(t)
	opts := c.options("TIDEMARK")
	opts.Replicas = 1
	one := start(t, opts)
	s := send(t, one, 8)
	s.getOn(t)
	s.end()
	if d := one.Durability(); d.Replicas != 1 || !d.SyncAlways {
		t.Errorf("durability of one copy: %+v", d)
	}
	had, _ := c.leader("TIDEMARK_EVENTS")
	if err := one.stop(); err != nil {
		t.Fatal(err)
	}

	five := c.options("TIDEMARK")
	five.Now, five.Replicas = time.Now, 5
	stream.Until(t, "the log says that servers are missing", func() bool { // a busy cluster may not answer in time
		log, err := stream.Open(t.Context(), five)
		if err == nil {
			log.Close()
			t.Fatal("three servers keep five copies")
		}
		if !errors.Is(err, eventstore.ErrUnavailable) {
			t.Fatalf("error %v, want one that is waited for", err)
		}
		return strings.Contains(err.Error(), "nats.replicas is 5: as many servers")
	})

	var said journal
	opts = c.options("TIDEMARK")
	opts.Logger, opts.ProbeAfter = said.logger(), 500*time.Millisecond
	three := start(t, opts)
	stream.Until(t, "three copies are told", func() bool { return three.Durability().Replicas == 3 })
	if d := three.Durability(); !d.Known || !d.SyncAlways {
		t.Errorf("durability of three copies: %+v", d)
	}
	if text := said.String(); !strings.Contains(text, "from=1 to=3") {
		t.Errorf("the log does not say that copies are made: %s", text)
	}
	for _, name := range []string{"TIDEMARK_EVENTS", "TIDEMARK_PROBE"} {
		c.whole(name)
	}
	had.kill()
	appendPatiently(t, three, webhook(1<<20))
	s.check(t, three)
}

// expectCopies waits until the metric and Durability say so many.
func expectCopies(t *testing.T, log *running, registry *prometheus.Registry, n int) {
	t.Helper()
	stream.Until(t, "the copies are counted", func() bool {
		return metric(t, registry, "tidemark_log_copies") == float64(n) && log.Durability().Replicas == n
	})
}
