package timeline_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

func open(t testing.TB) *kv.DB {
	db, err := kv.Open("db", kv.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// history draws n events with ties and gaps, in the order of the log.
func history(rng *rand.Rand, n int) []*timeline.Entry {
	es := make([]*timeline.Entry, n)
	span := int64(1 + rng.IntN(3*n+1))
	for i := range es {
		e := &timeline.Entry{
			Key:        timeline.Key{Effective: rng.Int64N(span) * 1000, Position: uint64(i/3 + 1), Index: uint32(i % 3)},
			ReceivedAt: int64(i) * 1000, Type: fmt.Sprintf("t%d", rng.IntN(3)),
		}
		e.Event[15], e.Event[14] = byte(i), byte(i>>8)
		if rng.IntN(4) == 0 {
			e.Key.Sequence = timeline.SequenceRank(rng.Int64N(5) - 2)
		}
		for f := range e.Sets {
			if rng.IntN(3) == 0 {
				e.Sets[f] = providers.Value(1 + rng.IntN(len(providers.Facet(f).Values())))
			}
		}
		es[i] = e
	}
	return es
}

func apply(t testing.TB, db *kv.DB, c timeline.Conn, root *timeline.Summary, spine *timeline.Spine, changes []*timeline.Entry) {
	b := db.Batch()
	w := timeline.NewWriter(db.Reader, b)
	changes = slices.Clone(changes)
	slices.SortFunc(changes, func(a, b *timeline.Entry) int { return a.Key.Compare(b.Key) })
	if err := w.Apply(c, root, spine, changes); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
}

// fold is the oracle: sort, then look at every event.
func fold(es []*timeline.Entry, from, to timeline.Key, known int64) timeline.Summary {
	es = slices.Clone(es)
	slices.SortFunc(es, func(a, b *timeline.Entry) int { return a.Key.Compare(b.Key) })
	var s timeline.Summary
	for _, e := range es {
		if e.Key.Compare(from) < 0 || e.Key.Compare(to) >= 0 || e.ReceivedAt > known {
			continue
		}
		if s.Events == 0 {
			s.First, s.MinReceived = e.Key.Effective, e.ReceivedAt
			s.MaxReceived = e.ReceivedAt
		}
		s.Events++
		s.Last = e.Key.Effective
		s.MinReceived, s.MaxReceived = min(s.MinReceived, e.ReceivedAt), max(s.MaxReceived, e.ReceivedAt)
		s.MaxPosition = max(s.MaxPosition, e.Key.Position)
		for f, v := range e.Sets {
			if v == providers.Unset {
				continue
			}
			r := &s.Facets[f]
			if r.Sets > 0 {
				r.Held[r.Last-1] += e.Key.Effective - r.LastKey.Effective
			} else {
				r.First, r.FirstKey = v, e.Key
			}
			if r.Sets == 0 || r.Last != v {
				r.Runs++
				r.Since = e.Key
			}
			r.Sets++
			r.Last, r.LastKey = v, e.Key
		}
		switch e.Sets[providers.Sync] {
		case providers.SyncSucceeded:
			s.Sync.Successes++
			s.Sync.Trailing, s.Sync.LastSuccess = 0, e.Key.Effective
		case providers.SyncFailed:
			s.Sync.Failures++
			s.Sync.Trailing++
			s.Sync.LastFailure = e.Key.Effective
		}
	}
	return s
}

func dump(t testing.TB, db *kv.DB) []byte {
	var out bytes.Buffer
	it, err := db.Iter(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		fmt.Fprintf(&out, "%x=%x\n", it.Key(), it.Value())
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Any cut of any history into batches leaves the same rows and the same
// summary, and every range of it says what folding it says.
func TestAnyBatchesSameRows(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		n := rapid.SampledFrom([]int{1, 2, 20, 200, 200, 600}).Draw(rt, "events")
		es := history(rng, n)
		c := timeline.ConnOf("s", "c")
		var rows []byte
		for range 3 {
			db, err := kv.Open("db", kv.Options{FS: vfs.NewMem()})
			if err != nil {
				rt.Fatal(err)
			}
			var root timeline.Summary
			var spine timeline.Spine
			order := slices.Clone(es)
			rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			most := []int{1, 7, 100, n}[rng.IntN(4)]
			if n > 200 {
				most = max(most, 100)
			}
			for i := 0; i < n; {
				k := min(n-i, 1+rng.IntN(most))
				apply(t, db, c, &root, &spine, order[i:i+k])
				i += k
			}
			if want := fold(es, timeline.MinKey, timeline.MaxKey, timeline.Always); root != want {
				rt.Fatalf("summary %+v, want %+v", root, want)
			}
			d := dump(t, db)
			if rows != nil && !bytes.Equal(rows, d) {
				rt.Fatalf("rows depend on the order of arrival")
			}
			rows = d
			r := timeline.NewReader(db.Reader, c, &spine)
			for range 20 {
				a, b := es[rng.IntN(n)].Key, es[rng.IntN(n)].Key
				switch rng.IntN(4) {
				case 0:
					a = timeline.MinKey
				case 1:
					b = timeline.MaxKey
				}
				known := int64(timeline.Always)
				if rng.IntN(2) == 0 {
					known = rng.Int64N(int64(n)) * 1000
				}
				got, err := r.Range(a, b, known)
				if err != nil {
					rt.Fatal(err)
				}
				if want := fold(es, a, b, known); got != want {
					rt.Fatalf("range %v..%v known %d: %+v, want %+v", a, b, known, got, want)
				}
			}
			_ = r.Close()
			_ = db.Close()
		}
	})
}

// What a writer remembers of its nodes changes nothing, however little room it has for them.
func TestRememberedNodes(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	es := history(rng, 3_000)
	conns := []timeline.Conn{timeline.ConnOf("s", "a"), timeline.ConnOf("s", "b"), timeline.ConnOf("s", "c")}
	var want []byte
	for _, keep := range []int{0, 2, 10, 2048} {
		db := open(t)
		b := db.Batch()
		w := timeline.NewWriter(db.Reader, b)
		w.Keep(keep)
		roots, spines := make([]timeline.Summary, len(conns)), make([]timeline.Spine, len(conns))
		for part := range slices.Chunk(es, 10) {
			part = slices.Clone(part)
			slices.SortFunc(part, func(a, b *timeline.Entry) int { return a.Key.Compare(b.Key) })
			for i, c := range conns {
				if err := w.Apply(c, &roots[i], &spines[i], part); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(w.Close(), b.Commit()); err != nil {
				t.Fatal(err)
			}
		}
		got := dump(t, db)
		if want == nil {
			want = got
		}
		if !bytes.Equal(got, want) {
			t.Errorf("with room for %d nodes the rows are others", keep)
		}
		_ = b.Close()
	}
}

// A long history crosses every level of blocks, in order, late and in bulk.
func TestDeepTimeline(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	es := history(rng, 20_000)
	// High boundaries are rare: some entries get an index that makes them one.
	for range 30 {
		e := es[rng.IntN(len(es))]
		for want := Levels - 2 + rng.IntN(3); e.Key.Level() < want; e.Key.Index++ {
		}
	}
	slices.SortFunc(es, func(a, b *timeline.Entry) int { return a.Key.Compare(b.Key) })
	var late, rest []*timeline.Entry
	for _, e := range es {
		if rng.IntN(50) == 0 {
			late = append(late, e)
		} else {
			rest = append(rest, e)
		}
	}
	db := open(t)
	c := timeline.ConnOf("s", "c")
	var root timeline.Summary
	var spine timeline.Spine
	for part := range slices.Chunk(rest, 700) {
		apply(t, db, c, &root, &spine, part)
	}
	rng.Shuffle(len(late), func(i, j int) { late[i], late[j] = late[j], late[i] })
	for _, e := range late {
		apply(t, db, c, &root, &spine, []*timeline.Entry{e})
	}
	once := open(t)
	var root2 timeline.Summary
	var spine2 timeline.Spine
	apply(t, once, c, &root2, &spine2, es)
	if !bytes.Equal(dump(t, db), dump(t, once)) || root != root2 || spine != spine2 {
		t.Fatal("rows depend on the order of arrival")
	}
	if spine.Start[Levels] == timeline.MinKey {
		t.Fatal("the history is too short for this test")
	}
	r := timeline.NewReader(db.Reader, c, &spine)
	defer func() { _ = r.Close() }()
	for range 50 {
		a, b := es[rng.IntN(len(es))].Key, es[rng.IntN(len(es))].Key
		known := rng.Int64N(int64(len(es))) * 1000
		got, err := r.Range(a, b, known)
		if err != nil {
			t.Fatal(err)
		}
		if want := fold(es, a, b, known); got != want {
			t.Fatalf("range %v..%v known %d: %+v, want %+v", a, b, known, got, want)
		}
	}
}

const Levels = timeline.Levels
