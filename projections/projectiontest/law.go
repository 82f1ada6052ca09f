package projectiontest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/memstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// T is what the kit needs of *rapid.T and of *testing.T.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Definitions returns the definition of each source of a Shape.
func Definitions(t T, s Shape) map[string]*providers.Definition {
	t.Helper()
	d, err := providers.Load("makini")
	if err != nil {
		t.Fatalf("definition makini: %v", err)
	}
	all := map[string]*providers.Definition{}
	for i := range s.Sources {
		all[fmt.Sprintf("src-%d", i)] = d
	}
	return all
}

// Store appends the groups to a log in memory and tells the oracle of each event.
func Store(groups [][]eventstore.Event) (*memstore.Store, *Oracle) {
	log, oracle := memstore.New(), NewOracle()
	for _, g := range groups {
		p := log.AppendGroup(g)
		for i, e := range g {
			oracle.Add(e, uint64(p), i)
		}
	}
	return log, oracle
}

// Project reads the log from the directory's checkpoint to its end in batches
// of about batch events, and stops after stop batches (0 for never) without closing anything.
func Project(t T, db *kv.DB, log eventstore.Reader, definitions map[string]*providers.Definition, batch, stop int) *projections.Projector {
	t.Helper()
	p, err := projections.NewProjector(db, definitions)
	if err != nil {
		t.Fatalf("projector: %v", err)
	}
	ctx := context.Background()
	head, err := log.Head(ctx)
	if err != nil {
		t.Fatalf("head: %v", err)
	}
	for pos := eventstore.Position(p.Checkpoint().Position) + 1; pos <= head; pos++ {
		g, err := log.At(ctx, pos)
		if err != nil {
			t.Fatalf("read %d: %v", pos, err)
		}
		if err := p.Add(&g); err != nil {
			t.Fatalf("add %d: %v", pos, err)
		}
		if p.Pending() >= batch || pos == head {
			if err := p.Commit(); err != nil {
				t.Fatalf("commit at %d: %v", pos, err)
			}
			if stop--; stop == 0 {
				break
			}
		}
	}
	return p
}

// CheckStates holds every connection's state to the oracle's, and the totals.
func CheckStates(t T, db *kv.DB, oracle *Oracle) {
	t.Helper()
	v, err := projections.NewView(db)
	if err != nil {
		t.Fatalf("view: %v", err)
	}
	defer v.Close()
	CheckView(t, v, oracle)
}

// CheckView is CheckStates of a view.
func CheckView(t T, v *projections.View, oracle *Oracle) {
	t.Helper()
	events := 0
	for name, evs := range oracle.Connections {
		source, id, _ := strings.Cut(name, "\x00")
		s, err := v.Connection(source, id)
		if err != nil {
			t.Fatalf("connection %q: %v", name, err)
		}
		if d := Differs(s, Fold(source, id, evs, When{})); d != "" {
			t.Fatalf("connection %q: %s", name, d)
		}
		events += len(evs)
	}
	c, st := v.Checkpoint(), v.Stats()
	if int(c.Placed) != events || int(c.Duplicates) != oracle.Duplicates || int(c.Quarantined) != len(oracle.Quarantined) {
		t.Fatalf("counted %+v; want %d placed, %d duplicates, %d quarantined", c, events, oracle.Duplicates, len(oracle.Quarantined))
	}
	if int(st.Connections) != len(oracle.Connections) || int(st.Quarantine) != len(oracle.Quarantined) {
		t.Fatalf("stats %+v; want %d connections", st, len(oracle.Connections))
	}
	n := uint64(0)
	for _, k := range st.ByHealth {
		n += k
	}
	if n != st.Connections {
		t.Fatalf("by_health adds up to %d of %d connections", n, st.Connections)
	}
}

// Rows returns every row of a directory but the one about itself, to compare directories byte for byte.
func Rows(t T, db *kv.DB) []byte {
	t.Helper()
	var out bytes.Buffer
	it, err := db.Iter([]byte("b"), nil)
	if err != nil {
		t.Fatalf("rows: %v", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		fmt.Fprintf(&out, "%q=%x\n", it.Key(), it.Value())
	}
	if err := it.Close(); err != nil {
		t.Fatalf("rows: %v", err)
	}
	return out.Bytes()
}

// Open opens a directory in fs.
func Open(t T, fs vfs.FS) *kv.DB {
	t.Helper()
	db, err := kv.Open("db", kv.Options{FS: fs, CacheBytes: 1 << 20, MemTableBytes: 64 << 10})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return db
}

// Law checks one drawn history: any batch sizes leave the same bytes, a crash
// at any point and a restart leave them too, and they say what the oracle says.
func Law(t *rapid.T, s Shape) {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 7))
	s.Events = rapid.IntRange(1, s.Events).Draw(t, "events")
	groups := Groups(rng, Draw(rng, s), rapid.IntRange(1, 12).Draw(t, "group"))
	log, oracle := Store(groups)
	batch := rapid.IntRange(1, 20).Draw(t, "batch")
	crashes := rapid.IntRange(1, 3).Draw(t, "crashes")
	_ = lawOf(t, rng, log, oracle, Definitions(t, s), batch, crashes).Close()
}

// lawOf projects the log in one batch, and in many with crashes between them, and
// returns the directory of the latter.
func lawOf(t T, rng *rand.Rand, log eventstore.Reader, oracle *Oracle, definitions map[string]*providers.Definition, batch, crashes int) *kv.DB {
	t.Helper()
	whole := Open(t, vfs.NewMem())
	_ = Project(t, whole, log, definitions, 1<<30, 0).Close()
	CheckStates(t, whole, oracle)
	want := Rows(t, whole)

	fs := NewDisk()
	for range crashes {
		db := Open(t, fs)
		_ = Project(t, db, log, definitions, batch, 1+rng.IntN(5)).Close()
		clone := fs.Cut(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		_ = db.Close()
		fs = clone
	}
	db := Open(t, fs)
	_ = Project(t, db, log, definitions, batch, 0).Close()
	CheckStates(t, db, oracle)
	if got := Rows(t, db); !bytes.Equal(got, want) {
		t.Fatalf("rows depend on batches or crashes:\n%s\nwant\n%s", got, want)
	}
	_ = whole.Close()
	return db
}
