package projections_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/projectiontest"
)

// webhooks makes n events of 600 B bodies for 10,000 connections with Zipf
// weights, 5 % of them late, in groups.
func webhooks(n, group int) []eventstore.Group {
	rng := rand.New(rand.NewPCG(1, 1))
	zipf := rand.NewZipf(rng, 1.1, 1, 9_999)
	pad := fmt.Sprintf("%0400d", 7)
	at := projectiontest.Start
	var groups []eventstore.Group
	for i := 0; i < n; {
		g := eventstore.Group{Position: eventstore.Position(len(groups) + 1)}
		for ; len(g.Events) < group && i < n; i++ {
			at = at.Add(time.Millisecond)
			occurred := at
			if rng.IntN(20) == 0 {
				occurred = at.Add(-time.Duration(rng.IntN(7*24)) * time.Hour)
			}
			kind, data := "sync.completed", `{"status":"success","records":1041,"note":"`+pad+`"}`
			if rng.IntN(4) == 0 {
				kind, data = "sync.failed", `{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"slow down","request_id":"req_1"},"note":"`+pad+`"}`
			}
			var id ulid.ULID
			_ = id.SetTime(ulid.Timestamp(at))
			id[8], id[9], id[10] = byte(i>>16), byte(i>>8), byte(i)
			g.Events = append(g.Events, eventstore.Event{ID: id, Source: "src-0", ReceivedAt: at, Verified: "hmac",
				Body: fmt.Appendf(nil, `{"id":"wh_%d","event_type":%q,"timestamp":%q,"connection_id":"conn_%d","data":%s}`, i, kind, occurred.Format(time.RFC3339Nano), zipf.Uint64(), data)})
		}
		groups = append(groups, g)
	}
	return groups
}

func BenchmarkProject(b *testing.B) {
	groups := webhooks(300_000, 30)
	for _, batch := range []int{1, 300, 1000} {
		b.Run(fmt.Sprintf("batch of %d", batch), func(b *testing.B) {
			db, err := kv.Open(b.TempDir(), kv.Options{})
			if err != nil {
				b.Fatal(err)
			}
			p, err := projections.NewProjector(db, projectiontest.Definitions(b, projectiontest.Shape{Sources: 1}))
			if err != nil {
				b.Fatal(err)
			}
			events, position := 0, 0
			b.ResetTimer()
			for range b.N {
				g := groups[position%len(groups)]
				position++
				if position > len(groups) {
					b.Fatal("too many rounds: use -benchtime 9000x or fewer")
				}
				if err := p.Add(&g); err != nil {
					b.Fatal(err)
				}
				events += len(g.Events)
				if p.Pending() >= batch {
					if err := p.Commit(); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
			_ = p.Close()
			_ = db.Close()
		})
	}
}
