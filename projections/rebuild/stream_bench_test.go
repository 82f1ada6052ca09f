package rebuild_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/rebuild"
)

// BenchmarkStream rebuilds from the embedded stream, with all that it does in this
// process, beside a cursor that reads the same and drops it.
func BenchmarkStream(b *testing.B) {
	if os.Getenv("TIDEMARK_LONG") != "1" {
		b.Skip("fills a stream with a million events: set TIDEMARK_LONG=1")
	}
	makini, err := providers.Load("makini")
	if err != nil {
		b.Fatal(err)
	}
	for _, group := range []int{1, 64} {
		log := fill(b, generate(size(), 10_000, group), group)
		b.Run(fmt.Sprintf("group=%d/drop", group), func(b *testing.B) {
			before := cpu()
			for b.Loop() {
				drop(b, log)
			}
			report(b, size(), cpu()-before, nil)
		})
		b.Run(fmt.Sprintf("group=%d/rebuild", group), func(b *testing.B) {
			took, before := map[rebuild.Phase]time.Duration{}, cpu()
			for b.Loop() {
				r, err := rebuild.Build(b.Context(), rebuild.Options{
					Dir: b.TempDir() + "/gen-1", Log: log, Now: time.Now,
					Definitions: map[string]*providers.Definition{"makini-prod": makini},
				})
				if err != nil || int(r.Events) != size() {
					b.Fatalf("%+v, %v", r, err)
				}
				for p, d := range r.Took {
					took[p] += d
				}
			}
			report(b, size(), cpu()-before, took)
		})
	}
}

// fill opens a stream and appends all events of from to it, group of them at a time at the most.
func fill(b *testing.B, from *prebuilt, group int) *stream.Log {
	log, err := stream.Open(b.Context(), stream.Options{Dir: b.TempDir(), NoSync: true, MaxGroupEvents: group, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- log.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	events := make(chan eventstore.Event)
	var wg sync.WaitGroup
	for range 4*group + 64 {
		wg.Go(func() {
			for e := range events {
				if _, err := log.Append(b.Context(), e); err != nil {
					b.Error(err)
				}
			}
		})
	}
	var d eventstore.Decoder
	for _, m := range from.messages {
		var g eventstore.Group
		if err := d.Decode(m, &g); err != nil {
			b.Fatal(err)
		}
		for _, e := range g.Events {
			events <- e
		}
	}
	close(events)
	wg.Wait()
	return log
}

func drop(b *testing.B, log eventstore.Reader) {
	c, err := log.Follow(b.Context(), 0)
	if err != nil {
		b.Fatal(err)
	}
	for n := 0; n < size(); {
		g, err := c.Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		n += len(g.Events)
	}
	if err := c.Close(); err != nil {
		b.Fatal(err)
	}
}
