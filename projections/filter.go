package projections

import (
	"context"
	"encoding/binary"

	"github.com/tidemark-dev/tidemark/projections/kv"
)

// Filter tells delivery ids that are surely new from those that may have been
// there: a Bloom filter in blocks of one cache line, so that a question costs one
// look into memory (Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom
// Filters", 2007). Its size is fixed; the fuller it is, the more often "may have been" means no.
type Filter struct {
	blocks []filterBlock
	mask   uint64
}

// filterBlock is a cache line: a key sets one bit in each word.
type filterBlock [8]uint64

// NewFilter returns an empty filter of at most size bytes, rounded down to a power of two.
func NewFilter(size int) *Filter {
	n := 1
	for n*2*64 <= size {
		n *= 2
	}
	return &Filter{blocks: make([]filterBlock, n), mask: uint64(n - 1)}
}

// Add adds a key and reports whether it may have been there. The key is a hash,
// so its bits are taken as they are.
func (f *Filter) Add(hash *[16]byte) bool {
	b := &f.blocks[binary.LittleEndian.Uint64(hash[8:])&f.mask]
	bits := binary.LittleEndian.Uint64(hash[:])
	was := uint64(1)
	for i := range b {
		bit := bits >> (i * 6) & 63
		was &= b[i] >> bit
		b[i] |= 1 << bit
	}
	return was == 1
}

// join adds all keys of another filter of the same size.
func (f *Filter) join(o *Filter) {
	for i := range f.blocks {
		for j := range f.blocks[i] {
			f.blocks[i][j] |= o.blocks[i][j]
		}
	}
}

// seenBytes is the size of the live filter: one percent of wrong guesses at ten million ids.
const seenBytes = 16 << 20

// seen is what a projector remembers of delivery ids. Until the ids of the
// directory are loaded it says nothing.
type seen struct {
	filter *Filter      // every id since the projector began, and once loaded the directory's
	loaded chan *Filter // carries the directory's, once
	whole  bool
}

// newly reports whether an id is surely new. It takes note of it.
func (s *seen) newly(hash *[16]byte) bool {
	if !s.whole {
		select {
		case f := <-s.loaded:
			s.filter.join(f)
			s.whole = true
		default:
		}
	}
	return !s.filter.Add(hash) && s.whole
}

// known reports whether the directory's ids are loaded, or wait to be taken.
func (s *seen) known() bool { return s.whole || len(s.loaded) > 0 }

// loadSeen reads the directory's delivery ids for the projector, beside its
// work. Without them every id is looked up, which is slower and not wrong.
func loadSeen(ctx context.Context, db *kv.DB, loaded chan<- *Filter) error {
	v := db.View()
	defer func() { _ = v.Close() }()
	it, err := v.Iter([]byte{prefixDelivered}, []byte{prefixDelivered + 1})
	if err != nil {
		return err
	}
	f := NewFilter(seenBytes)
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		if k := it.Key(); len(k) == 17 {
			hash := [16]byte(k[1:])
			f.Add(&hash)
		}
		if n++; n%4096 == 0 && ctx.Err() != nil {
			break
		}
	}
	if err := it.Close(); err != nil || ctx.Err() != nil {
		return err
	}
	loaded <- f
	return nil
}
