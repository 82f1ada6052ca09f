package rebuild_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/projections/projectiontest"
	"github.com/tidemark-dev/tidemark/projections/rebuild"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// TestRedactedIsLive: a rebuild gives entries the mark that the live projection gave them: those of marked events have it, and no others.
func TestRedactedIsLive(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	events := projectiontest.Draw(rng, projectiontest.Messy)
	marked := map[string]bool{}
	for i := range events {
		if i%3 == 0 {
			events[i].Headers = append(events[i].Headers, eventstore.Header{Name: eventstore.RedactedHeader, Value: "1"})
			marked[events[i].ID.String()] = true
		}
	}
	d := drawn{definitions: projectiontest.Definitions(t, projectiontest.Messy), live: projectiontest.Open(t, vfs.NewMem())}
	d.log, d.oracle = projectiontest.Store(projectiontest.Groups(rng, events, 5))
	defer d.live.Close()
	_ = projectiontest.Project(t, d.live, d.log, d.definitions, 10, 0).Close()
	d.rows = projectiontest.Rows(t, d.live)

	seen := map[bool]int{}
	it, err := d.live.Iter([]byte{timeline.PrefixEntry}, []byte{timeline.PrefixEntry + 1})
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		var e timeline.Entry
		if err := timeline.DecodeEntry(timeline.Key{}, it.Value(), &e, false); err != nil {
			t.Fatal(err)
		}
		if e.Redacted != marked[e.EventID()] {
			t.Errorf("event %s: redacted is %v", e.EventID(), e.Redacted)
		}
		seen[e.Redacted]++
	}
	if err := it.Close(); err != nil || seen[true] == 0 || seen[false] == 0 {
		t.Fatalf("entries seen: %v, %v", seen, err)
	}

	fs := vfs.NewMem()
	if _, err := rebuild.Build(context.Background(), small(fs, "gen-2", d.log, d.definitions, 7)); err != nil {
		t.Fatal(err)
	}
	same(t, fs, "gen-2", &d)
}
