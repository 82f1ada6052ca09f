package timeline_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// An in-order fold makes the nodes, the summary and the spine that a Writer makes,
// whatever the length: none, one level, all levels.
func TestFoldIsWriter(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	es := history(rng, 20_000)
	slices.SortFunc(es, func(a, b *timeline.Entry) int { return a.Key.Compare(b.Key) })
	var fold timeline.Fold
	for _, n := range []int{1, 2, 10, 100, 1000, 5000, len(es)} {
		db := open(t)
		c := timeline.ConnOf("s", fmt.Sprint(n))
		var root timeline.Summary
		var spine timeline.Spine
		for part := range slices.Chunk(es[:n], 1+n/7) {
			apply(t, db, c, &root, &spine, part)
		}
		var want, got bytes.Buffer
		it, err := db.Iter([]byte{timeline.PrefixNode}, []byte{timeline.PrefixNode + 1})
		if err != nil {
			t.Fatal(err)
		}
		for ok := it.First(); ok; ok = it.Next() {
			fmt.Fprintf(&want, "%x=%x\n", it.Key(), it.Value())
		}
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
		rows := map[string]string{}
		fold.Emit = func(key, value []byte) error {
			if _, twice := rows[string(key)]; twice {
				t.Errorf("node %x is given out twice", key)
			}
			rows[string(key)] = string(value)
			return nil
		}
		fold.Begin(c)
		for _, e := range es[:n] {
			if err := fold.Add(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := fold.End(); err != nil {
			t.Fatal(err)
		}
		for _, key := range sorted(rows) {
			fmt.Fprintf(&got, "%x=%x\n", key, rows[key])
		}
		if !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Fatalf("%d entries: the nodes differ from the writer's: %d bytes, want %d", n, got.Len(), want.Len())
		}
		if fold.Sum != root || fold.Spine != spine {
			t.Fatalf("%d entries: summary or spine differ from the writer's", n)
		}
	}
}

func sorted(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
