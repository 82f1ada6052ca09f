package rebuild_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/memstore"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/projectiontest"
	"github.com/tidemark-dev/tidemark/projections/rebuild"
)

func drawOne(t *testing.T) drawn {
	s := projectiontest.Messy
	s.Events = 200
	d := draw(t, rand.New(rand.NewPCG(7, 8)), s, 5)
	t.Cleanup(func() { _ = d.live.Close() })
	return d
}

func unfinished(t *testing.T, fs vfs.FS, dir string) {
	t.Helper()
	db := open(t, fs, dir)
	defer db.Close()
	if _, err := projections.NewView(db); !errors.Is(err, projections.ErrUnfinished) {
		t.Errorf("a view of an unfinished generation: %v, want ErrUnfinished", err)
	}
	if _, err := projections.NewProjector(db, nil); !errors.Is(err, projections.ErrUnfinished) {
		t.Errorf("a projector on an unfinished generation: %v, want ErrUnfinished", err)
	}
}

// Damage to the log stops the rebuild by name; once it is mended the rebuild goes on.
func TestBuildStopsAtDamage(t *testing.T) {
	for name, damage := range map[string]func(*memstore.Store){
		"a bit flipped": func(s *memstore.Store) { s.FlipBit(17, 1234) },
		"a gap":         func(s *memstore.Store) { s.Drop(17) },
		"a repeat":      func(s *memstore.Store) { s.Repeat(16) },
		"cut short":     func(s *memstore.Store) { s.CutMessage(17, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			d := drawOne(t)
			fs := vfs.NewMem()
			o := small(fs, "gen-2", d.log, d.definitions, 8)
			damage(d.log)
			if _, err := rebuild.Build(t.Context(), o); !errors.Is(err, eventstore.ErrIntegrity) || !strings.Contains(err.Error(), "position 1") {
				t.Fatalf("build: %v, want an ErrIntegrity that names the position", err)
			}
			d.log.Heal(16)
			d.log.Heal(17)
			if _, err := rebuild.Build(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			same(t, fs, "gen-2", &d)
		})
	}
}

// lying is a log whose cursors pass over positions or events without a word.
type lying struct {
	eventstore.Reader
	lie func(*eventstore.Group) bool // false passes over the group
}

func (l lying) Follow(ctx context.Context, after eventstore.Position) (eventstore.Cursor, error) {
	c, err := l.Reader.Follow(ctx, after)
	return lyingCursor{c, l.lie}, err
}

type lyingCursor struct {
	eventstore.Cursor
	lie func(*eventstore.Group) bool
}

func (c lyingCursor) Next(ctx context.Context) (eventstore.Group, error) {
	for {
		g, err := c.Cursor.Next(ctx)
		if err != nil || c.lie(&g) {
			return g, err
		}
	}
}

func TestBuildSeesThroughALyingLog(t *testing.T) {
	for name, lie := range map[string]func(*eventstore.Group) bool{
		"passes over": func(g *eventstore.Group) bool { return g.Position != 9 },
		"empties": func(g *eventstore.Group) bool {
			if g.Position == 9 {
				g.Events = nil
			}
			return true
		},
		"numbers wrongly": func(g *eventstore.Group) bool {
			if g.Position == 9 {
				g.Position = 8
			}
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := drawOne(t)
			o := small(vfs.NewMem(), "gen-2", lying{d.log, lie}, d.definitions, 8)
			if _, err := rebuild.Build(t.Context(), o); !errors.Is(err, eventstore.ErrIntegrity) {
				t.Fatalf("build: %v, want an ErrIntegrity", err)
			}
		})
	}
}

// A log that loses its tail, or whose tail is another, is not gone on with.
func TestBuildRefusesALostTail(t *testing.T) {
	d := drawOne(t)
	o := small(vfs.NewMem(), "gen-2", d.log, d.definitions, 8)
	stopAtFold(t, o)
	d.log.CutTail(3)
	if _, err := rebuild.Build(t.Context(), o); !errors.Is(err, eventstore.ErrIntegrity) {
		t.Fatalf("build: %v, want an ErrIntegrity", err)
	}
	// One that ends earlier than it said.
	o.Dir, o.To = "gen-3", 10_000
	if _, err := rebuild.Build(t.Context(), o); err == nil {
		t.Fatal("built up to a position that the log does not have")
	}
}

// stopAtFold builds until all is read and nothing is folded.
func stopAtFold(t *testing.T, o rebuild.Options) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	o.Progress = func(p rebuild.Progress) {
		if p.Phase == rebuild.Fold {
			cancel(errStop)
		}
	}
	if _, err := rebuild.Build(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("build: %v, want it cancelled", err)
	}
	unfinished(t, o.KV.FS, o.Dir)
}

// A row that is lost between reading and folding is missed, whichever it is.
func TestBuildMissesLostRows(t *testing.T) {
	for _, kind := range []string{"g", "n", "q", "t", "x"} {
		t.Run(kind, func(t *testing.T) {
			d := drawOne(t)
			o := small(vfs.NewMem(), "gen-2", d.log, d.definitions, 50)
			stopAtFold(t, o)
			db := open(t, o.KV.FS, o.Dir)
			lose(t, db, kind)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			for range 2 { // it does not get better by trying again
				if _, err := rebuild.Build(t.Context(), o); !errors.Is(err, rebuild.ErrIncomplete) {
					t.Fatalf("build: %v, want ErrIncomplete", err)
				}
			}
			unfinished(t, o.KV.FS, o.Dir)
		})
	}
}

// lose deletes one row of a kind, amid the others.
func lose(t *testing.T, db *kv.DB, kind string) {
	t.Helper()
	it, err := db.Iter([]byte(kind), []byte{kind[0] + 1})
	if err != nil {
		t.Fatal(err)
	}
	var keys [][]byte
	for ok := it.First(); ok; ok = it.Next() {
		keys = append(keys, append([]byte{}, it.Key()...))
	}
	if err := it.Close(); err != nil || len(keys) == 0 {
		t.Fatalf("%d rows, %v", len(keys), err)
	}
	b := db.Batch()
	if err := b.Delete(keys[len(keys)/2]); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Commit(), b.Close()); err != nil {
		t.Fatal(err)
	}
}

// A directory that is something else is left as it is.
func TestBuildRefusesOthers(t *testing.T) {
	d := drawOne(t)
	fs := vfs.NewMem()
	o := small(fs, "gen-2", d.log, d.definitions, 50)
	stopAtFold(t, o)
	other := o
	other.Definitions = nil
	if _, err := rebuild.Build(t.Context(), other); !errors.Is(err, rebuild.ErrOther) {
		t.Errorf("build with other definitions: %v, want ErrOther", err)
	}
	live := open(t, fs, "live")
	_ = projectiontest.Project(t, live, d.log, d.definitions, 50, 0).Close()
	if err := live.Close(); err != nil {
		t.Fatal(err)
	}
	o.Dir = "live"
	if _, err := rebuild.Build(t.Context(), o); !errors.Is(err, rebuild.ErrOther) {
		t.Errorf("build into a live directory: %v, want ErrOther", err)
	}
	if _, err := rebuild.Refold(t.Context(), d.live, rebuild.Options{Dir: "gen-2", KV: o.KV}); err != nil {
		t.Errorf("refold goes on with a fold: %v", err)
	}
	same(t, fs, "live", &d)
}

// Outages of the log are waited out and told.
func TestBuildWaitsForTheLog(t *testing.T) {
	d := drawOne(t)
	o := small(vfs.NewMem(), "gen-2", d.log, d.definitions, 50)
	waited := ""
	o.Progress = func(p rebuild.Progress) {
		if p.Phase == rebuild.Scan && p.Position == 0 && p.Waiting == "" && waited == "" {
			d.log.FailReads(2)
		}
		waited = max(waited, p.Waiting)
	}
	if _, err := rebuild.Build(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if waited == "" {
		t.Error("nobody was told that the log was out of reach")
	}
	same(t, o.KV.FS, "gen-2", &d)
}

// What a rebuild tells of its progress only grows, and ends at the end.
func TestProgress(t *testing.T) {
	d := drawOne(t)
	o := small(vfs.NewMem(), "gen-2", d.log, d.definitions, 50)
	last := rebuild.Progress{}
	var phases []rebuild.Phase
	o.Progress = func(p rebuild.Progress) {
		if p.Phase != last.Phase {
			phases = append(phases, p.Phase)
			last = rebuild.Progress{}
		}
		if p.Done < last.Done || p.Events < last.Events || p.Done > p.Total {
			t.Errorf("%+v came after %+v", p, last)
		}
		last = p
	}
	r, err := rebuild.Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(phases) != 3 || last.Done != r.Positions || last.Done != last.Total {
		t.Errorf("phases %v, at last %+v", phases, last)
	}
}
