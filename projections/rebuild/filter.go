package rebuild

import "encoding/binary"

// filter tells delivery ids that are surely new from those that may have been
// there: a Bloom filter in blocks of one cache line, so that a question costs one look into
// memory. Its size is fixed; the fuller it is, the more often "may have been" means no.
type filter struct {
	blocks []block
	mask   uint64
}

// filterBytesAnID is room enough that one new id in some thousand is looked up for nothing.
const filterBytesAnID = 2

// block is a cache line: a key sets one bit in each word.
type block [8]uint64

// newFilter returns an empty filter of about size bytes.
func newFilter(size int) *filter {
	n := 1
	for n*2*64 <= size {
		n *= 2
	}
	return &filter{blocks: make([]block, n), mask: uint64(n - 1)}
}

func (f *filter) blockOf(hash *[16]byte) *block {
	return &f.blocks[binary.LittleEndian.Uint64(hash[8:])&f.mask]
}

// add adds a key and reports whether it may have been there. The key is a hash, so its
// bits are taken as they are.
func (f *filter) add(hash *[16]byte) bool {
	b := f.blockOf(hash)
	bits := binary.LittleEndian.Uint64(hash[:])
	was := uint64(1)
	for i := range b {
		bit := bits >> (i * 6) & 63
		was &= b[i] >> bit
		b[i] |= 1 << bit
	}
	return was == 1
}
