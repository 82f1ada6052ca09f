package timeline

import (
	"cmp"
	"encoding/binary"
	"math"

	"github.com/cespare/xxhash/v2"
)

// Key is the place of an event in its connection's order: by effective time,
// then the provider's sequence if there is one, then position, then index in the
// commit group. The zero-most key is MinKey.
type Key struct {
	// Effective is the effective time in nanoseconds since 1970, UTC.
	Effective int64
	// Sequence is the provider's sequence as SequenceRank gives it, 0 where there is none.
	Sequence uint64
	// Position and Index are the event's place in the log.
	Position uint64
	Index    uint32
}

// KeySize is the length of an encoded key.
const KeySize = 28

// MinKey sorts before the key of every event; MaxKey behind.
var (
	MinKey = Key{Effective: math.MinInt64}
	MaxKey = Key{Effective: math.MaxInt64, Sequence: math.MaxUint64, Position: math.MaxUint64, Index: math.MaxUint32}
)

// SequenceRank maps a provider's sequence to its rank in a Key: order is kept,
// and an event without a sequence (rank 0) sorts before those that have one.
func SequenceRank(seq int64) uint64 {
	r := uint64(seq) ^ 1<<63
	if r == 0 {
		return 1 // the smallest two share a rank; position decides between them
	}
	return r
}

// Compare orders keys: negative where k sorts before o.
func (k Key) Compare(o Key) int {
	if c := cmp.Compare(k.Effective, o.Effective); c != 0 {
		return c
	}
	if c := cmp.Compare(k.Sequence, o.Sequence); c != 0 {
		return c
	}
	if c := cmp.Compare(k.Position, o.Position); c != 0 {
		return c
	}
	return cmp.Compare(k.Index, o.Index)
}

// AppendTo appends the key's KeySize bytes, whose order is that of Compare.
func (k Key) AppendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(k.Effective)^1<<63)
	dst = binary.BigEndian.AppendUint64(dst, k.Sequence)
	dst = binary.BigEndian.AppendUint64(dst, k.Position)
	return binary.BigEndian.AppendUint32(dst, k.Index)
}

// DecodeKey reads the first KeySize bytes of b, which must be there.
func DecodeKey(b []byte) Key {
	return Key{
		Effective: int64(binary.BigEndian.Uint64(b) ^ 1<<63),
		Sequence:  binary.BigEndian.Uint64(b[8:]),
		Position:  binary.BigEndian.Uint64(b[16:]),
		Index:     binary.BigEndian.Uint32(b[24:]),
	}
}

// Block sizes: a block of the first level holds 2^leafBits entries on average,
// one of a level above 2^nodeBits blocks of the level below.
const (
	leafBits = 4
	nodeBits = 3
	// Levels is the number of levels of blocks above the entries.
	Levels = 6
)

// Level says at which levels a block starts with this entry: 0 for none, n for
// every level up to n. It depends on the key alone, so where blocks are cut is a function of the set of
// events and not of the order in which they came: the same set gives the same
// rows. (The idea is that of the skip list and of Auvolat and Taïani, "Merkle
// Search Trees", SRDS 2019: a boundary is where the hash says so.)
func (k Key) Level() int {
	var b [KeySize]byte
	h := xxhash.Sum64(k.AppendTo(b[:0]))
	if h&(1<<leafBits-1) != 0 {
		return 0
	}
	h >>= leafBits
	l := 1
	for l < Levels && h&(1<<nodeBits-1) == 0 {
		l++
		h >>= nodeBits
	}
	return l
}

// Next returns the key directly behind k.
func (k Key) Next() Key {
	k.Index++
	if k.Index == 0 {
		k.Position++
	}
	return k
}
