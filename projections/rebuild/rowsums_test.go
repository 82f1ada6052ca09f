package rebuild_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/projections/projectiontest"
	"github.com/tidemark-dev/tidemark/projections/rebuild"
)

// What was summed up as rows were written is what reading them back sums up, entries that were written twice included.
func TestRowsAsWrittenSumUpAsThoseRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		s := projectiontest.Messy
		s.Events = rapid.IntRange(2, 200).Draw(t, "events")
		d := draw(t, rng, s, rapid.IntRange(1, 12).Draw(t, "group"))
		defer d.live.Close()
		fs := vfs.NewMem()
		o := small(fs, "gen-2", d.log, d.definitions, rapid.IntRange(1, 80).Draw(t, "chunk"))
		o.Sum = true
		r, err := rebuild.Build(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		db := open(t, fs, "gen-2")
		v, live := view(t, db), view(t, d.live)
		read, err := rebuild.Digest(context.Background(), v)
		if err != nil {
			t.Fatal(err)
		}
		written, ok := r.Written.Digest(v)
		if !ok || written.SHA256 != read.SHA256 || written.Rows != read.Rows || read.Rows == 0 {
			t.Errorf("written %+v (%v), read %+v", written, ok, read)
		}
		if diff, err := rebuild.FirstDifference(context.Background(), v, live, written, read, rebuild.Options{}); diff != nil || err != nil {
			t.Errorf("the stretches of one sum differ: %v, %v", diff, err)
		}
		if err := errors.Join(v.Close(), live.Close(), db.Close()); err != nil {
			t.Fatal(err)
		}
	})
}

// Sums stand for one generation at one position, written by one run.
func TestRowsAsWrittenAreOfOneRunAndOnePosition(t *testing.T) {
	d := drawOne(t)
	head, err := d.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	live := view(t, d.live)
	defer live.Close()
	fs := vfs.NewMem()
	part := small(fs, "gen-2", d.log, d.definitions, 20)
	part.Sum, part.To = true, head-1
	r, err := rebuild.Build(t.Context(), part)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Written.Digest(live); r.Written == nil || ok {
		t.Errorf("sums up to position %d are taken for those of %d", part.To, head)
	}

	stopped := small(fs, "gen-3", d.log, d.definitions, 20)
	stopped.Sum = true
	read := eventstore.Position(0)
	stopped.Progress = func(p rebuild.Progress) { read = eventstore.Position(p.Position) }
	stopped.Gate = func(context.Context) error {
		if read > head/2 {
			return errStop
		}
		return nil
	}
	if _, err := rebuild.Build(t.Context(), stopped); !errors.Is(err, errStop) {
		t.Fatal(err)
	}
	stopped.Gate, stopped.Progress = nil, nil
	if r, err = rebuild.Build(t.Context(), stopped); err != nil || r.Resumed == 0 {
		t.Fatalf("gone on from %d: %v", r.Resumed, err)
	}
	if _, ok := r.Written.Digest(live); r.Written != nil || ok {
		t.Error("sums of a part of the rows are taken for those of all")
	}
}
