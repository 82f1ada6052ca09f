package rebuild

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-dev/tidemark/projections/timeline"
)

func hashOf(rng *rand.Rand) (h [16]byte) {
	binary.LittleEndian.PutUint64(h[:], rng.Uint64())
	binary.LittleEndian.PutUint64(h[8:], rng.Uint64())
	return h
}

// A filter never denies a key that it holds, and rarely claims one that it does not, with room enough.
func TestFilter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	const n = 100_000
	f := newFilter(n * filterBytesAnID)
	keys := make([][16]byte, n)
	wrong := 0
	for i := range keys {
		if keys[i] = hashOf(rng); f.add(&keys[i]) {
			wrong++
		}
	}
	for i := range keys {
		if !f.add(&keys[i]) {
			t.Fatalf("key %d is denied", i)
		}
	}
	if wrong > n/100 {
		t.Errorf("%d of %d new keys may have been there, want one in a hundred at most", wrong, n)
	}
}

func TestIDs(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	table := newIDs(10) // it has to grow
	var list []firstDelivery
	for i := range 5000 {
		h := hashOf(rng)
		if table.find(list, &h) != nil {
			t.Fatal("found what is not there")
		}
		list = append(list, firstDelivery{hash: h, placed: uint32(i)})
		table.add(list, i)
	}
	for i := range list {
		if d := table.find(list, &list[i].hash); d == nil || d.placed != uint32(i) {
			t.Fatalf("entry %d is not found", i)
		}
	}
	table.clear()
	if table.find(list, &list[0].hash) != nil {
		t.Error("found after clear")
	}
}

// Spreading and sorting is sorting, and leaves the list as it was.
func TestSpread(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 3))
		conns := make([]timeline.Conn, rapid.IntRange(1, 50).Draw(t, "connections"))
		for i := range conns {
			conns[i] = hashOf(rng)
		}
		list := make([]placed, rapid.IntRange(0, 3000).Draw(t, "entries"))
		for i := range list {
			list[i] = placed{conn: conns[rng.IntN(len(conns))], key: timeline.Key{Effective: rng.Int64N(50) - 25, Position: uint64(i)}}
		}
		before := slices.Clone(list)
		var b buckets[placed]
		b.spread(list, rapid.IntRange(1, 40).Draw(t, "bucket"), nil, func(p *placed) *[16]byte { return (*[16]byte)(&p.conn) })
		low, high := b.halves()
		low.sort(nil, comparePlaced)
		high.sort(nil, comparePlaced)
		out := slices.Concat(low.list, high.list)
		if !slices.Equal(list, before) {
			t.Fatal("the list has changed")
		}
		slices.SortFunc(before, comparePlaced)
		if !slices.Equal(out, before) {
			t.Fatal("not sorted")
		}
	})
}

func TestRowsHeadOrdersAsKeys(t *testing.T) {
	keys := [][]byte{[]byte("m"), []byte("ma"), []byte("ma\x00"), []byte("ma\x00b"), []byte("mabcdefgh"), []byte("mabcdefghi"), []byte("mb")}
	for i := range keys[1:] {
		if bytes.Compare(keys[i], keys[i+1]) >= 0 || headOf(keys[i]) > headOf(keys[i+1]) {
			t.Errorf("%q and %q: heads %x and %x", keys[i], keys[i+1], headOf(keys[i]), headOf(keys[i+1]))
		}
	}
}
