package rebuild

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
)

// spread copies list to out so that the hashes' leading bits are in order, and
// calls sort with each stretch of equal leading bits. Hashes are even, so one pass
// does most of what sorting has to do; list itself is left as it is.
func spread[T any](list []T, out *[]T, starts *[]uint32, perBucket int, hash func(*T) *[16]byte, sort func([]T)) {
	n := len(list)
	width := min(16, bits.Len(uint(n/perBucket)))
	shift := 64 - width
	*starts = slices.Grow((*starts)[:0], 1<<width+1)[:1<<width+1]
	at := *starts
	clear(at)
	for i := range list {
		at[binary.BigEndian.Uint64(hash(&list[i])[:])>>shift+1]++
	}
	for b := 1; b < len(at); b++ {
		at[b] += at[b-1]
	}
	*out = slices.Grow((*out)[:0], n)[:n]
	for i := range list {
		b := binary.BigEndian.Uint64(hash(&list[i])[:]) >> shift
		(*out)[at[b]] = list[i]
		at[b]++
	}
	from := uint32(0)
	for _, to := range at[:len(at)-1] {
		if to-from > 1 {
			sort((*out)[from:to])
		}
		from = to
	}
}

func comparePlaced(a, b placed) int {
	if c := bytes.Compare(a.conn[:], b.conn[:]); c != 0 {
		return c
	}
	return a.key.Compare(b.key)
}

func compareFirst(a, b firstDelivery) int { return bytes.Compare(a.hash[:], b.hash[:]) }
