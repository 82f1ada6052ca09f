package projections_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/memstore"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/projectiontest"
)

// rig is a log with a history and a directory that a runner fills from it.
type rig struct {
	log    *memstore.Store
	oracle *projectiontest.Oracle
	db     *kv.DB
	shape  projectiontest.Shape
	groups [][]eventstore.Event
}

func newRig(t *testing.T) *rig {
	rng := rand.New(rand.NewPCG(3, 4))
	r := &rig{shape: projectiontest.Messy}
	r.groups = projectiontest.Groups(rng, projectiontest.Draw(rng, r.shape), 3)
	r.log, r.oracle = projectiontest.Store(r.groups)
	r.db = projectiontest.Open(t, vfs.NewMem())
	t.Cleanup(func() { _ = r.db.Close() })
	return r
}

func (r *rig) start(t *testing.T) (*projections.Runner, func() error) {
	p, err := projections.NewProjector(r.db, projectiontest.Definitions(t, r.shape))
	if err != nil {
		t.Fatal(err)
	}
	runner := projections.NewRunner(projections.RunnerOptions{Log: r.log, Projector: p, Batch: 5})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	stop := func() error {
		cancel()
		err := <-done
		done <- err
		return errors.Join(err, p.Close())
	}
	t.Cleanup(func() { _ = stop() })
	return runner, stop
}

func (r *rig) checkpoint(t *testing.T) uint64 {
	v, err := projections.NewView(r.db)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	return v.Checkpoint().Position
}

// eventually waits for a condition; the test's own deadline ends a wait for ever.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}

func TestRunnerFollows(t *testing.T) {
	r := newRig(t)
	runner, stop := r.start(t)
	eventually(t, "the head is reached", func() bool { return r.checkpoint(t) == uint64(len(r.groups)) })
	rng := rand.New(rand.NewPCG(5, 6))
	more := r.shape
	more.Sources = 1
	for _, g := range projectiontest.Groups(rng, projectiontest.Draw(rng, more), 2) {
		p := r.log.AppendGroup(g)
		for i, e := range g {
			r.oracle.Add(e, uint64(p), i)
		}
		r.groups = append(r.groups, g)
	}
	eventually(t, "what came later is applied", func() bool { return r.checkpoint(t) == uint64(len(r.groups)) })
	if err := runner.Err(); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	projectiontest.CheckStates(t, r.db, r.oracle)
}

func TestRunnerOutlastsAnOutage(t *testing.T) {
	r := newRig(t)
	r.log.FailReads(3)
	runner, stop := r.start(t)
	eventually(t, "the head is reached", func() bool { return r.checkpoint(t) == uint64(len(r.groups)) })
	if err := runner.Err(); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	projectiontest.CheckStates(t, r.db, r.oracle)
}

// Damage of any kind stops the projection at the position before it, with an
// integrity error that names the place, and nothing behind it is applied.
func TestRunnerStopsAtDamage(t *testing.T) {
	for name, damage := range map[string]func(*memstore.Store){
		"a position is missing":  func(s *memstore.Store) { s.Drop(7) },
		"a position comes twice": func(s *memstore.Store) { s.Repeat(7) },
		"a bit is flipped":       func(s *memstore.Store) { s.FlipBit(7, 1500) },
		"a message is cut":       func(s *memstore.Store) { s.CutMessage(7, 40) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			damage(r.log)
			runner, stop := r.start(t)
			eventually(t, "the runner stops", func() bool { return runner.Err() != nil })
			err := stop()
			if !errors.Is(err, eventstore.ErrIntegrity) || !errors.Is(runner.Err(), eventstore.ErrIntegrity) {
				t.Fatalf("stopped with %v", err)
			}
			if !strings.Contains(err.Error(), "7") && !strings.Contains(err.Error(), "8") {
				t.Errorf("the error does not name the position: %v", err)
			}
			if p := r.checkpoint(t); p != 6 && p != 7 {
				t.Errorf("checkpoint %d, want the last good position", p)
			}
			if name == "a position comes twice" {
				return // it came twice to one reader; a new one begins behind it
			}
			runner, stop = r.start(t)
			eventually(t, "it stops again after a restart", func() bool { return runner.Err() != nil })
			if err := stop(); !errors.Is(err, eventstore.ErrIntegrity) {
				t.Fatalf("after a restart: %v", err)
			}
		})
	}
}

func TestRunnerRefusesALogThatLostItsTail(t *testing.T) {
	for name, damage := range map[string]func(*rig){
		"shorter": func(r *rig) { r.log.CutTail(2) },
		"and was written on": func(r *rig) {
			n := len(r.groups)
			r.log.CutTail(2)
			for range 3 {
				r.log.AppendGroup(r.groups[n-3])
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			_, stop := r.start(t)
			eventually(t, "the head is reached", func() bool { return r.checkpoint(t) == uint64(len(r.groups)) })
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			before := projectiontest.Rows(t, r.db)
			damage(r)
			runner, stop := r.start(t)
			eventually(t, "the runner stops", func() bool { return runner.Err() != nil })
			err := stop()
			if !errors.Is(err, eventstore.ErrIntegrity) || !strings.Contains(err.Error(), "tail") {
				t.Fatalf("stopped with %v", err)
			}
			if string(projectiontest.Rows(t, r.db)) != string(before) {
				t.Error("the directory changed")
			}
		})
	}
}

func TestEventsAreFound(t *testing.T) {
	r := newRig(t)
	_ = projectiontest.Project(t, r.db, r.log, projectiontest.Definitions(t, r.shape), 9, 0).Close()
	v, err := projections.NewView(r.db)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	fates := map[projections.Fate]int{}
	for _, g := range r.groups {
		for _, e := range g {
			l, err := v.Event(t.Context(), r.log, e.ID)
			if err != nil {
				t.Fatal(err)
			}
			if string(l.Record.Body) != string(e.Body) || l.Record.Source != e.Source {
				t.Fatalf("event %s came back as another", e.ID)
			}
			fates[l.Fate]++
			if (l.Quarantine != nil) != (l.Fate == projections.Quarantined) || (l.Entry != nil) == (l.Fate == projections.Quarantined) {
				t.Fatalf("event %s is %s with %+v", e.ID, l.Fate, l)
			}
			if l.Fate == projections.Placed && l.Entry.Event != e.ID {
				t.Fatalf("event %s stands at the entry of %s", e.ID, l.Entry.EventID())
			}
		}
	}
	if fates[projections.Duplicate] != r.oracle.Duplicates || fates[projections.Quarantined] != len(r.oracle.Quarantined) || fates[projections.Placed] == 0 {
		t.Errorf("fates %v", fates)
	}
	unknown := r.groups[0][0].ID
	unknown[15]++
	if _, err := v.Event(t.Context(), r.log, unknown); !errors.Is(err, projections.ErrNotFound) {
		t.Errorf("an unknown event: %v", err)
	}
	n := 0
	if err := v.Quarantine(0, 0, func(q projections.Quarantine) bool { n++; return q.Code == "not_json" }); err != nil {
		t.Fatal(err)
	}
	if n != len(r.oracle.Quarantined) {
		t.Errorf("%d in quarantine, want %d", n, len(r.oracle.Quarantined))
	}
}
