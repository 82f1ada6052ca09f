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
