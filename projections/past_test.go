package projections_test

import (
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/tidemark-dev/tidemark/projections/projectiontest"
)

// Every question about the past, on either clock or both, is answered as the
// oracle answers it, which keeps all events in memory and folds them anew.
func TestPast(t *testing.T) {
	for name, s := range map[string]projectiontest.Shape{
		"several connections": projectiontest.Messy,
		"one with a history":  {Sources: 1, Connections: 1, Events: 150, Ties: 20, Timeless: 5, Skewed: 5, Late: 10, Duplicates: 10, Conflicts: 30},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 9))
				s := s
				s.Events = rapid.IntRange(1, s.Events).Draw(t, "events")
				log, oracle := projectiontest.Store(projectiontest.Groups(rng, projectiontest.Draw(rng, s), 8))
				db := projectiontest.Open(t, vfs.NewMem())
				_ = projectiontest.Project(t, db, log, projectiontest.Definitions(t, s), 100, 0).Close()
				projectiontest.CheckPast(t, rng, db, oracle, 5)
				_ = db.Close()
			})
		})
	}
}
