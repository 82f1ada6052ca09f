package timeline_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// long builds a history of n events in order, in batches.
func long(b *testing.B, db *kv.DB, c timeline.Conn, n int) (timeline.Summary, timeline.Spine) {
	var root timeline.Summary
	var spine timeline.Spine
	for i := 0; i < n; {
		var es []*timeline.Entry
		for ; i < n && len(es) < 1000; i++ {
			es = append(es, event(int64(i)*2_000, uint64(i+1)))
		}
		apply(b, db, c, &root, &spine, es)
	}
	return root, spine
}

func event(effective int64, position uint64) *timeline.Entry {
	e := &timeline.Entry{
		Key: timeline.Key{Effective: effective, Position: position}, ReceivedAt: int64(position) * 2_000,
		HasOccurred: true, OccurredAt: timeline.InstantOf(effective),
		Type: "sync.completed", Delivery: fmt.Sprintf("wh_%d", position), Rule: "sync succeeded",
	}
	e.Event[8] = byte(position)
	if position%3 == 0 {
		e.Sets[providers.Sync] = providers.SyncFailed
		e.Detail = providers.Detail{Code: "RATE_LIMIT_EXCEEDED", Message: "slow down", RequestID: "req_1"}
	} else {
		e.Sets = [...]providers.Value{0, providers.ConnectivityOnline, providers.AuthOK, providers.SyncSucceeded, providers.ErrorNone}
	}
	return e
}

func BenchmarkApply(b *testing.B) {
	for _, n := range []int{1_000, 1_000_000} {
		db, err := kv.Open(b.TempDir(), kv.Options{})
		if err != nil {
			b.Fatal(err)
		}
		c := timeline.ConnOf("s", "c")
		root, spine := long(b, db, c, n)
		pos := uint64(n)
		rng := rand.New(rand.NewPCG(1, 1))
		b.Run(fmt.Sprintf("late/%d", n), func(b *testing.B) {
			for b.Loop() {
				pos++
				apply(b, db, c, &root, &spine, []*timeline.Entry{event(rng.Int64N(int64(n)*2_000), pos)})
			}
		})
		b.Run(fmt.Sprintf("in order/%d", n), func(b *testing.B) {
			for b.Loop() {
				pos++
				apply(b, db, c, &root, &spine, []*timeline.Entry{event(int64(pos)*2_000, pos)})
			}
		})
		b.Run(fmt.Sprintf("as of/%d", n), func(b *testing.B) {
			for b.Loop() {
				r := timeline.NewReader(db.Reader, c, &spine)
				if _, err := r.Range(timeline.MinKey, timeline.Key{Effective: rng.Int64N(int64(n) * 2_000)}, timeline.Always); err != nil {
					b.Fatal(err)
				}
				_ = r.Close()
			}
		})
		_ = db.Close()
	}
}
