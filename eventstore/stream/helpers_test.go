package stream_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/storetest"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
)

// running is a log with its Run going.
type running struct {
	*stream.Log
	opts stream.Options
	stop func() error // ends Run and the log
}

// start opens the log and keeps Run going until the test ends.
func start(t testing.TB, opts stream.Options) *running {
	t.Helper()
	opts.Now = time.Now
	if opts.Idle == 0 {
		opts.Idle = 30 * time.Millisecond
	}
	if opts.AppendTimeout == 0 {
		opts.AppendTimeout = 10 * time.Second // the longest there is: the machine may be busy
	}
	log, err := stream.Open(t.Context(), opts)
	if errors.Is(err, eventstore.ErrUnavailable) && strings.Contains(opts.URL, ",") {
		// A cluster just started may not find all of its servers yet. The program waits as well.
		stream.Until(t, "the log opens", func() bool {
			log, err = stream.Open(t.Context(), opts)
			return !errors.Is(err, eventstore.ErrUnavailable)
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- log.Run(ctx) }()
	stopped := false
	r := &running{Log: log, opts: opts}
	r.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		runErr := <-ended
		if err := log.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		return runErr
	}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return r
}

// Reopen ends the log and opens it again. See storetest.Reopener.
func (r *running) Reopen(t *testing.T) storetest.Store {
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	return start(t, r.opts)
}

// jetStream is the server's own interface, past the log's, until the test ends.
func jetStream(t testing.TB, url string) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// metric returns the value of a metric, summed over its labels.
func metric(t testing.TB, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		sum := 0.0
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
		return sum
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
