package rebuild

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
)

// buckets is a list whose elements are in order as far as some leading bits of their hashes go.
type buckets[T any] struct {
	list []T
	ends []uint32 // where each bucket ends in list
}

// How many elements are moved, and how many are compared, in the time that a step takes elsewhere.
const (
	spreadStep   = 16
	comparedStep = 64
)

// spread fills b with a copy of list. Hashes are even, so one pass does most of
// what sorting has to do: what is left are buckets of about size elements. The list itself stays as it is.
func (b *buckets[T]) spread(list []T, size int, t *turn, hash func(*T) *[16]byte) {
	width := min(16, bits.Len(uint(len(list)/size)))
	bucketOf := func(e *T) uint64 { return binary.BigEndian.Uint64(hash(e)[:]) >> (64 - width) }
	b.ends = slices.Grow(b.ends[:0], 1<<width)[:1<<width]
	clear(b.ends)
	for i := range list {
		b.ends[bucketOf(&list[i])]++
	}
	start := uint32(0)
	for i, n := range b.ends {
		b.ends[i] = start
		start += n
	}
	// From here on an end is where the bucket's next element goes.
	b.list = slices.Grow(b.list[:0], cap(list))[:len(list)] // the next one may be longer
	for i := range list {
		if i%spreadStep == 0 {
			t.step(1)
		}
		at := &b.ends[bucketOf(&list[i])]
		b.list[*at] = list[i]
		*at++
	}
}

// halves cuts the buckets in two of about the same number of elements.
func (b *buckets[T]) halves() (low, high buckets[T]) {
	for i, end := range b.ends {
		if int(end) >= len(b.list)/2 {
			low = buckets[T]{b.list[:end], b.ends[:i+1]}
			high = buckets[T]{b.list[end:], slices.Clone(b.ends[i+1:])}
			break
		}
	}
	for i := range high.ends {
		high.ends[i] -= uint32(len(low.list))
	}
	return low, high
}

// sort puts the list in order.
func (b *buckets[T]) sort(t *turn, compare func(a, b T) int) {
	compare = stepping(t, compare)
	from := uint32(0)
	for _, to := range b.ends {
		if to-from > 1 {
			slices.SortFunc(b.list[from:to], compare)
		}
		from = to
	}
}

// stepping is compare, with a step every so often.
func stepping[T any](t *turn, compare func(a, b T) int) func(a, b T) int {
	if t == nil {
		return compare
	}
	compared := 0
	return func(a, b T) int {
		if compared++; compared%comparedStep == 0 {
			t.step(1)
		}
		return compare(a, b)
	}
}

func comparePlaced(a, b placed) int {
	if c := bytes.Compare(a.conn[:], b.conn[:]); c != 0 {
		return c
	}
	return a.key.Compare(b.key)
}

func compareFirst(a, b firstDelivery) int { return bytes.Compare(a.hash[:], b.hash[:]) }
