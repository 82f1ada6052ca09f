package generations_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/generations"
	"github.com/tidemark-dev/tidemark/projections/projectiontest"
)

// watched opens a set as a new process does: with a hub that has seen nothing.
func (r *rig) watched(change func(*generations.Options)) (*generations.Set, *projections.Hub) {
	hub := projections.NewHub(0)
	return r.with(func(o *generations.Options) {
		o.Hub = hub
		if change != nil {
			change(o)
		}
	}), hub
}

// startsOver reports whether a watcher that comes back with an id is told all states.
func startsOver(h *projections.Hub, id uint64) bool {
	_, from, ok := h.WatchAfter(id)
	return !ok && from == 0
}

// What a watcher saw of projections that are filled again says nothing of the new
// ones, however far they are, and over restarts; what it sees of them says all.
func TestWatchersOfRefilledProjections(t *testing.T) {
	for name, lose := range map[string]func(*testing.T, *rig, string){
		"damaged": func(t *testing.T, _ *rig, dir string) { ruin(t, dir) },
		"deleted": func(t *testing.T, r *rig, _ string) {
			if err := os.RemoveAll(r.root); err != nil {
				t.Fatal(err)
			}
		},
		"unknown which": func(t *testing.T, r *rig, _ string) {
			if err := os.WriteFile(filepath.Join(r.root, "CURRENT"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s, _ := r.watched(nil)
			stop := r.run(s)
			r.caughtUp(s)
			dir, seen := s.Path(), uint64(r.groups)
			stop()
			lose(t, r, dir)

			s, hub := r.watched(nil)
			if !startsOver(hub, seen) {
				t.Error("at once: who saw it all before is told nothing")
			}
			stop = r.run(s)
			r.caughtUp(s)
			for _, id := range []uint64{seen / 2, seen} {
				if !startsOver(hub, id) {
					t.Errorf("filled: who comes back with %d is not told all", id)
				}
			}
			// Before more comes: the head as it is when it is asked for is how far ids can have got.
			r.eventually("ids count again", func() bool { return !startsOver(hub, seen+1) })
			r.more(20)
			r.caughtUp(s)
			stop()
			s, hub = r.watched(nil)
			r.run(s)
			if !startsOver(hub, seen) || startsOver(hub, seen+1) {
				t.Errorf("after a restart: starts over with %d: %t, with %d: %t", seen, startsOver(hub, seen), seen+1, startsOver(hub, seen+1))
			}
		})
	}
}

// breaking is a log that, once it is armed, does something before the n-th group that is asked for, and fails.
type breaking struct {
	eventstore.Reader
	left atomic.Int64
	do   func()
}

func (b *breaking) At(ctx context.Context, p eventstore.Position) (eventstore.Group, error) {
	if b.left.Add(-1) == 0 {
		b.do()
		return eventstore.Group{}, eventstore.ErrUnavailable
	}
	return b.Reader.At(ctx, p)
}

// A retry of the quarantine that ends half-way changed states all the same: who watches is told,
// and who comes back after a crash in the middle, too.
func TestARetryThatEndsHalfWay(t *testing.T) {
	r := newRig(t)
	r.shape.Duplicates, r.shape.Events = 0, 1500
	for _, g := range projectiontest.Groups(r.rng, projectiontest.Draw(r.rng, r.shape), 20) {
		for i := range g {
			g[i].Body = asAccount(g[i].Body)
		}
		r.log.AppendGroup(append([]eventstore.Event(nil), g...))
		r.groups++
	}
	s, _ := r.watched(nil)
	stop := r.run(s)
	r.eventually("all is applied", func() bool { return r.position(s) == uint64(r.groups) })
	r.more(1)
	r.eventually("all is applied", func() bool { return r.position(s) == uint64(r.groups) })
	stop()

	r.redefine(readsAccounts(t))
	seen, crashed := uint64(r.groups), t.TempDir()
	log := &breaking{Reader: r.log}
	log.do = func() { // as a crash would leave it
		err := os.CopyFS(filepath.Join(crashed, "projections"), os.DirFS(r.root))
		for errors.Is(err, os.ErrNotExist) { // Pebble tidied a file up behind its start: once more, in another place
			crashed = t.TempDir()
			err = os.CopyFS(filepath.Join(crashed, "projections"), os.DirFS(r.root))
		}
		if err != nil {
			t.Error(err)
		}
	}
	s, hub := r.watched(func(o *generations.Options) { o.OnChange, o.Log = generations.Off, log })
	r.run(s)
	r.eventually("ids count", func() bool { return !startsOver(hub, seen) })
	watch := hub.Watch()
	log.left.Store(150) // the second step
	got, err := s.RetryQuarantine(t.Context())
	if !errors.Is(err, eventstore.ErrUnavailable) || got.Placed == 0 || got.Placed > 1000 {
		t.Fatalf("%+v, %v; want some placed and not all", got, err)
	}
	if _, _, err := watch.Next(t.Context()); !errors.Is(err, projections.ErrReplaced) {
		t.Errorf("who watches is told %v", err)
	}
	if !startsOver(hub, seen) {
		t.Error("who comes back is told nothing")
	}
	s, hub = r.watched(func(o *generations.Options) {
		o.OnChange, o.Root = generations.Off, filepath.Join(crashed, "projections")
	})
	defer s.Close()
	if !startsOver(hub, seen) {
		t.Error("who comes back after a crash is told nothing")
	}
}
