package stream_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/storetest"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
)

// webhook is an event of about 600 bytes.
func webhook(i int) eventstore.Event {
	e := storetest.Sample(0)
	e.ID = storetest.NewID(e.ReceivedAt, uint64(i))
	body := fmt.Appendf(nil, `{"id":"evt_%d","type":"sync.completed","payload":"`, i)
	for len(body) < 600 {
		body = append(body, 'a'+byte(len(body)%26))
	}
	e.Body = body
	return e
}

// BenchmarkAppend appends with so many callers that wait each for its answer.
func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 64, 256} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			log := start(b, stream.Options{Dir: b.TempDir()})
			e := webhook(1)
			var n atomic.Int64
			took := make([][]time.Duration, callers)
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for c := range callers {
				wg.Go(func() {
					for n.Add(1) <= int64(b.N) {
						begin := time.Now()
						if _, err := log.Append(b.Context(), e); err != nil {
							b.Error(err)
							return
						}
						took[c] = append(took[c], time.Since(begin))
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			all := slices.Concat(took...)
			slices.Sort(all)
			head, err := log.Head(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(b.N)/float64(head), "events/group")
			b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

// BenchmarkFollow reads a log of one or of 64 events a message.
func BenchmarkFollow(b *testing.B) {
	for _, each := range []int{1, 64} {
		b.Run(fmt.Sprintf("%d-a-message", each), func(b *testing.B) {
			const events = 200_000
			log := start(b, stream.Options{Dir: b.TempDir(), NoSync: true, MaxGroupEvents: each})
			var wg sync.WaitGroup
			var n atomic.Int64
			for range 256 {
				wg.Go(func() {
					for i := n.Add(1); i <= events; i = n.Add(1) {
						if _, err := log.Append(b.Context(), webhook(int(i))); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			read, groups := 0, 0
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				c, err := log.Follow(b.Context(), 0)
				if err != nil {
					b.Fatal(err)
				}
				for left := events; left > 0; groups++ {
					g, err := c.Next(b.Context())
					if err != nil {
						b.Fatal(err)
					}
					left -= len(g.Events)
					read += len(g.Events)
				}
				c.Close()
			}
			b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(read)/float64(groups), "events/group")
		})
	}
}
