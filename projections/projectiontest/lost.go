package projectiontest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/connections"
)

// NothingIsLost projects n mutilated samples of a definition and checks that each is in
// one place: on a timeline, as an event or as a further delivery of one, or in the
// quarantine with a reason. It returns how many are on timelines.
func NothingIsLost(t T, rng *rand.Rand, d *providers.Definition, samples []Sample, n int) int {
	t.Helper()
	all := make([]Delivered, n)
	received := Start
	for i := range all {
		all[i] = Mutate(rng, samples)
		received = received.Add(time.Second)
		all[i].Source, all[i].ReceivedAt, all[i].ID = "src", received, newID(rng, received)
	}
	log, _ := storeSamples(rng, all)
	db := Open(t, vfs.NewMem())
	defer func() { _ = db.Close() }()
	_ = Project(t, db, log, map[string]*providers.Definition{"src": d}, 50, 0).Close()
	v, err := projections.NewView(db)
	if err != nil {
		t.Fatalf("view: %v", err)
	}
	defer v.Close()

	seen := map[projections.Place]string{}
	put := func(p projections.Place, where string) {
		if was, twice := seen[p]; twice {
			t.Fatalf("%v is in %s and in %s", p, was, where)
		}
		seen[p] = where
	}
	_, err = v.Connections(connections.Filter{}, func(s connections.State, _ []byte) bool {
		places, cut, err := v.Places(s.Source, s.Connection, n+1)
		if err != nil || cut {
			t.Fatalf("connection %q: %v", s.Connection, err)
		}
		for _, p := range places {
			put(p, fmt.Sprintf("the timeline of %q", s.Connection))
		}
		return true
	})
	if err != nil {
		t.Fatalf("connections: %v", err)
	}
	placed := len(seen)
	err = v.Quarantine(0, 0, func(q projections.Quarantine) bool {
		if q.Code == "" || strings.TrimSpace(q.Reason) == "" {
			t.Fatalf("quarantined without a reason: %+v", q)
		}
		put(projections.Place{Position: q.Position, Index: q.Index}, "the quarantine")
		return true
	})
	if err != nil {
		t.Fatalf("quarantine: %v", err)
	}
	if len(seen) != n {
		t.Fatalf("%d of %d events are nowhere", n-len(seen), n)
	}
	return placed
}
