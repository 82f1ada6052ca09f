package stream_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
)

// TestAnUnsafeStreamIsRefused finds streams under the log's name that somebody made otherwise.
func TestAnUnsafeStreamIsRefused(t *testing.T) {
	server := startServer(t)
	js := jetStream(t, server.url())
	safe := jetstream.StreamConfig{
		Name: "TIDEMARK_EVENTS", Subjects: []string{"TIDEMARK.events"}, Storage: jetstream.FileStorage,
		Discard: jetstream.DiscardNew, DenyDelete: true, DenyPurge: true,
	}
	for _, c := range []struct {
		name   string
		change func(*jetstream.StreamConfig)
		words  string // of the refusal; "": it is taken
	}{
		{"as it should be", func(*jetstream.StreamConfig) {}, ""},
		{"compressed", func(c *jetstream.StreamConfig) { c.Compression = jetstream.S2Compression }, ""},
		{"deletes", func(c *jetstream.StreamConfig) { c.DenyDelete = false }, "allows deletes"},
		{"purges", func(c *jetstream.StreamConfig) { c.DenyPurge = false }, "allows purges"},
		{"another subject", func(c *jetstream.StreamConfig) { c.Subjects = []string{"TIDEMARK.events", "events.>"} }, "subjects"},
		{"age", func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }, "expire"},
		{"discard old", func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld }, "discards old"},
		{"count", func(c *jetstream.StreamConfig) { c.MaxMsgs = 10 }, "at most 10"},
		{"memory", func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }, "in memory"},
		{"roll-ups", func(c *jetstream.StreamConfig) { c.AllowRollup, c.DenyPurge = true, false }, "roll-ups"},
		{"per-message expiry", func(c *jetstream.StreamConfig) { c.AllowMsgTTL = true }, "messages that expire"},
		{"asynchronous", func(c *jetstream.StreamConfig) { c.PersistMode = jetstream.AsyncPersistMode }, "before it has written"},
		{"work queue", func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy }, "retention"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := safe
			c.change(&config)
			if _, err := js.CreateStream(t.Context(), config); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := js.DeleteStream(t.Context(), config.Name); err != nil {
					t.Error(err)
				}
			}()
			opts := server.options("")
			opts.Now = time.Now
			log, err := stream.Open(t.Context(), opts)
			switch {
			case c.words == "" && err != nil:
				t.Errorf("open: %v", err)
			case c.words != "" && (err == nil || !strings.Contains(err.Error(), c.words)):
				t.Errorf("open: error %v, want one that says %q", err, c.words)
			}
			if log != nil {
				log.Close()
			}
		})
	}
}

// TestTheStreamIsSafe looks at the stream that the log makes with the server's own eyes.
func TestTheStreamIsSafe(t *testing.T) {
	server := startServer(t)
	log := start(t, server.options("SHARED"))
	if _, err := log.Append(t.Context(), webhook(0)); err != nil {
		t.Fatal(err)
	}
	js := jetStream(t, server.url())
	s, err := js.Stream(t.Context(), "SHARED_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteMsg(t.Context(), 1); err == nil {
		t.Error("the stream lets a message be deleted")
	}
	if err := s.Purge(t.Context()); err == nil {
		t.Error("the stream lets itself be purged")
	}
	m, err := s.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	g, err := log.At(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if id := m.Header.Get(nats.MsgIdHdr); id != g.ID.String() || m.Header.Get(nats.ExpectedLastSeqHdr) != "0" || len(m.Header) != 2 {
		t.Errorf("the message's headers are %v, the group's id is %s", m.Header, g.ID)
	}
}

// TestAFullStreamRefuses reaches the limit of the store: nothing is dropped for what comes.
func TestAFullStreamRefuses(t *testing.T) {
	log := start(t, stream.Options{Dir: t.TempDir(), MaxStore: 1 << 20})
	e := webhook(0)
	e.Body = make([]byte, 300<<10)
	taken := 0
	for ; taken < 10; taken++ {
		_, err := log.Append(t.Context(), e)
		if err == nil {
			continue
		}
		// At once: what is tried again until the time is over says so.
		if !errors.Is(err, eventstore.ErrUnavailable) || !strings.Contains(err.Error(), "the server refuses") || strings.Contains(err.Error(), "in time") {
			t.Fatalf("append to a full stream: error %v, want ErrUnavailable at once", err)
		}
		break
	}
	if taken != 3 {
		t.Errorf("%d events of 300 KiB fit in 1 MiB", taken)
	}
	if err := log.Health(); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("health of a full stream: %v, want ErrUnavailable", err)
	}
	expectGroups(t, log.Log, 1, 1, 1)

	if err := log.stop(); err != nil {
		t.Fatal(err)
	}
	log.opts.MaxStore = 100 << 10
	if log, err := stream.Open(t.Context(), log.opts); err == nil || !strings.Contains(err.Error(), "raise it") {
		t.Errorf("open with a limit below what is there: error %v", err)
		log.Close()
	}
	log.opts.MaxStore = 2 << 20
	log = start(t, log.opts)
	if _, err := log.Append(t.Context(), e); err != nil {
		t.Errorf("append after the limit was raised: %v", err)
	}
}

func TestOneProcessHoldsTheDirectory(t *testing.T) {
	log := start(t, stream.Options{Dir: t.TempDir()})
	opts := log.opts
	if second, err := stream.Open(t.Context(), opts); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second log on the directory: error %v, want one that says it is in use", err)
		second.Close()
	}
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	opts := stream.Options{Dir: t.TempDir(), Metrics: registry}
	for range 2 { // what Close takes out can be registered again
		log := start(t, opts)
		opts.Dir = log.opts.Dir
		if _, err := log.Append(t.Context(), webhook(0)); err != nil {
			t.Fatal(err)
		}
		stream.Until(t, "the log is healthy", func() bool { return metric(t, registry, "tidemark_log_healthy") == 1 })
		for name, want := range map[string]float64{
			"tidemark_log_appends_total": 1, "tidemark_log_publish_seconds": 1, "tidemark_log_group_events": 1,
			"tidemark_log_publish_failures_total": 0, "tidemark_log_waiting_events": 0,
		} {
			if got := metric(t, registry, name); got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		if metric(t, registry, "tidemark_log_disk_free_bytes") <= 0 {
			t.Error("no space is left, says the metric")
		}
		if err := log.stop(); err != nil {
			t.Fatal(err)
		}
	}
}
