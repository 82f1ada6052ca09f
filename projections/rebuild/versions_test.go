package rebuild_test

import (
	"errors"
	"maps"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/rebuild"
)

// says lets a directory say that its rows are of these versions, and of its own for the rest.
func says(t *testing.T, db *kv.DB, versions map[string]int) {
	t.Helper()
	g, _, err := projections.LoadGeneration(db.Reader)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(g.Projections, versions)
	key, value, err := g.Row()
	b := db.Batch()
	if err := errors.Join(err, b.Set(key, value), b.Commit(), b.Close()); err != nil {
		t.Fatal(err)
	}
}

// saysIn is says of a closed directory.
func saysIn(t *testing.T, fs vfs.FS, dir string, versions map[string]int) {
	t.Helper()
	db := open(t, fs, dir)
	says(t, db, versions)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// What code of another version began, or made, is not gone on with.
func TestBuildRefusesOtherVersions(t *testing.T) {
	for _, name := range []string{"places", "timeline", "connections"} {
		d := drawOne(t)
		o := small(vfs.NewMem(), "gen-2", d.log, d.definitions, 50)
		stopAtFold(t, o)
		saysIn(t, o.KV.FS, o.Dir, map[string]int{name: 1000})
		if _, err := rebuild.Build(t.Context(), o); !errors.Is(err, rebuild.ErrOther) {
			t.Errorf("build behind another version of %s: %v, want ErrOther", name, err)
		}
		saysIn(t, o.KV.FS, o.Dir, projections.Versions())
		if r, err := rebuild.Build(t.Context(), o); err != nil || !maps.Equal(r.Generation.Projections, projections.Versions()) {
			t.Errorf("build: %+v, %v", r.Generation, err)
		}
		same(t, o.KV.FS, o.Dir, &d)
		saysIn(t, o.KV.FS, o.Dir, map[string]int{name: 1000})
		if _, err := rebuild.Build(t.Context(), o); !errors.Is(err, rebuild.ErrOther) {
			t.Errorf("build of what another version of %s made: %v, want ErrOther", name, err)
		}
	}
}

// A refold makes folds current, and leaves the version of all else.
func TestRefoldSetsTheVersionsOfFolds(t *testing.T) {
	d := drawOne(t)
	fs := vfs.NewMem()
	o := small(fs, "gen-2", d.log, d.definitions, 50)
	if _, err := rebuild.Build(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	from := open(t, fs, "gen-2")
	defer from.Close()
	o.Dir = "gen-3"
	says(t, from, map[string]int{"places": 1000, "timeline": 1001, "connections": 1002})
	want := projections.Versions()
	want["places"] = 1000
	r, err := rebuild.Refold(t.Context(), from, o)
	if err != nil || !maps.Equal(r.Generation.Projections, want) {
		t.Fatalf("refold: %+v, %v", r.Generation, err)
	}
	same(t, fs, "gen-3", &d)
	if r, err = rebuild.Refold(t.Context(), from, o); err != nil || !maps.Equal(r.Generation.Projections, want) {
		t.Errorf("refold again: %+v, %v", r.Generation, err)
	}
	saysIn(t, fs, "gen-3", map[string]int{"connections": 1003})
	if _, err := rebuild.Refold(t.Context(), from, o); !errors.Is(err, rebuild.ErrOther) {
		t.Errorf("refold goes on with another version's: %v, want ErrOther", err)
	}
}
