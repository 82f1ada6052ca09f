package rebuild

import (
	"math/bits"
	"sync"

	"github.com/cespare/xxhash/v2"
)

// rowSums sums rows up, each stretch on its own. A stretch's sum is the sum of what stands for its rows, so it is the
// same in whatever order they come.
type rowSums struct {
	sum, rows []uint64
	// at says by a key's first byte where the stretches of its kind begin; hashed is whether there are sixteen.
	at     [256]uint8
	hashed [256]bool
}

// noStretch stands for the rows that are in no stretch.
const noStretch = 255

func newRowSums() *rowSums {
	s := &rowSums{}
	for i := range s.at {
		s.at[i] = noStretch
	}
	n := uint8(0)
	for _, k := range kinds {
		s.at[k.prefix], s.hashed[k.prefix] = n, k.hashed
		if n++; k.hashed {
			n += 15
		}
	}
	s.sum, s.rows = make([]uint64, n), make([]uint64, n)
	return s
}

// stretchOf returns the index of a key's stretch in stretches; false where it is in none.
func (s *rowSums) stretchOf(key []byte) (int, bool) {
	if len(key) < 2 || s.at[key[0]] == noStretch {
		return 0, false
	}
	i := int(s.at[key[0]])
	if s.hashed[key[0]] {
		i += int(key[1] >> 4)
	}
	return i, true
}

// add adds a row.
func (s *rowSums) add(key, value []byte) {
	if i, ok := s.stretchOf(key); ok {
		s.sum[i] += rowSum(key, value)
		s.rows[i]++
	}
}

// rowSum is what stands for a row: XXH64 of its key and of its value, multiplied. It tells damage and
// defects; nobody gains by forging what is derived.
func rowSum(key, value []byte) uint64 {
	hi, lo := bits.Mul64(xxhash.Sum64(key)^0x9e3779b97f4a7c15, xxhash.Sum64(value)^0xd6e8feb86659fd93)
	return hi ^ lo
}

// Written sums up the rows of a generation as they were written, all of them by one run. Safe for concurrent use.
type Written struct {
	mu       sync.Mutex
	sums     *rowSums
	position uint64 // which the generation stood at in the end
}

// add adds all rows of s.
func (w *Written) add(s *rowSums) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range s.sum {
		w.sums.sum[i] += s.sum[i]
		w.sums.rows[i] += s.rows[i]
	}
}

// replaced takes out all rows of s: others that were added took their places.
func (w *Written) replaced(s *rowSums) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range s.sum {
		w.sums.sum[i] -= s.sum[i]
		w.sums.rows[i] -= s.rows[i]
	}
}
