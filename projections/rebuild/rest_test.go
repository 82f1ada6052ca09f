package rebuild_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark-dev/tidemark/projections/projectiontest"
	"github.com/tidemark-dev/tidemark/projections/rebuild"
)

// ticking is a clock by which each look at it takes as long.
func ticking(each time.Duration) func() time.Time {
	var looks atomic.Int64
	return func() time.Time { return time.Unix(0, looks.Add(1)*int64(each)) }
}

// A rebuild that rests makes the same generation, and a digest and a comparison that rest find the same; all rest all the while.
func TestRest(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	s := projectiontest.Messy
	s.Events = 3000
	d := draw(t, rng, s, 16)
	defer d.live.Close()
	fs := vfs.NewMem()
	o := small(fs, "gen-2", d.log, d.definitions, 700)
	var phase atomic.Value
	phase.Store(rebuild.Scan)
	var scans, folds, digests atomic.Int64
	o.Cores, o.Now = 1, ticking(100*time.Microsecond)
	o.Progress = func(p rebuild.Progress) { phase.Store(p.Phase) }
	o.Rest = func() {
		if phase.Load() == rebuild.Scan {
			scans.Add(1)
		} else {
			folds.Add(1)
		}
	}
	if _, err := rebuild.Build(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	same(t, fs, "gen-2", &d)
	if scans.Load() < 20 || folds.Load() < 5 {
		t.Errorf("it rested %d times in the scan and %d times afterwards", scans.Load(), folds.Load())
	}

	db := open(t, fs, "gen-2")
	defer db.Close()
	v := view(t, db)
	defer v.Close()
	want, err := rebuild.Digest(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	got, err := rebuild.DigestBeside(t.Context(), v, rebuild.Options{
		Cores: 2, Now: ticking(100 * time.Microsecond), Rest: func() { digests.Add(1) },
	})
	if err != nil || got.SHA256 != want.SHA256 || got.Rows != want.Rows {
		t.Errorf("a digest that rests is %+v, %v; want %+v", got, err, want)
	}
	if digests.Load() < 5 {
		t.Errorf("a digest of %d rows rested %d times", want.Rows, digests.Load())
	}

	if _, err := rebuild.Build(t.Context(), small(fs, "gen-3", d.log, buggy(t, s), 2000)); err != nil {
		t.Fatal(err)
	}
	was := open(t, fs, "gen-3")
	defer was.Close()
	old := view(t, was)
	defer old.Close()
	var diffs, asides atomic.Int64
	var names [2][]string
	collect := func(into *[]string) func(*rebuild.Change) error {
		return func(c *rebuild.Change) error { *into = append(*into, c.Source+" "+c.Connection); return nil }
	}
	report, err := rebuild.Diff(t.Context(), old, v, collect(&names[0]))
	if err != nil || !report.Differs() {
		t.Fatalf("%+v, %v", report, err)
	}
	rested, err := rebuild.DiffBeside(t.Context(), old, v, rebuild.Options{
		Now: ticking(100 * time.Microsecond), Rest: func() { diffs.Add(1) }, Aside: func() { asides.Add(1) },
	}, collect(&names[1]))
	if err != nil || !reflect.DeepEqual(rested, report) || !slices.Equal(names[0], names[1]) {
		t.Errorf("a comparison that rests finds %+v, %v; want %+v", rested, err, report)
	}
	if diffs.Load() == 0 || asides.Load() != 1 {
		t.Errorf("a comparison of %d connections, %d of them changed, rested %d times in %d goroutines", report.Compared, len(names[0]), diffs.Load(), asides.Load())
	}

	// The same rows but for one amid many: all before it are looked at.
	if _, err := rebuild.Build(t.Context(), small(fs, "gen-4", d.log, d.definitions, 700)); err != nil {
		t.Fatal(err)
	}
	short := open(t, fs, "gen-4")
	defer short.Close()
	lose(t, short, "d")
	less := view(t, short)
	defer less.Close()
	lost, err := rebuild.Digest(t.Context(), less)
	if err != nil {
		t.Fatal(err)
	}
	var looks, apart atomic.Int64
	first, err := rebuild.FirstDifference(t.Context(), v, less, want, lost, rebuild.Options{
		Now: ticking(100 * time.Microsecond), Rest: func() { looks.Add(1) }, Aside: func() { apart.Add(1) },
	})
	if err != nil || first == nil || first.New != nil {
		t.Fatalf("the difference is %+v, %v, want the row that was removed", first, err)
	}
	if looks.Load() == 0 || apart.Load() != 1 {
		t.Errorf("looking for it rested %d times in %d goroutines", looks.Load(), apart.Load())
	}
}
