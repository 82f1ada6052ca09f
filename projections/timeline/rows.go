package timeline

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/tidemark-dev/tidemark/projections/kv"
)

// Conn stands for a connection in the keys of rows: the first half of
// SHA-256 over source, NUL and connection id.
type Conn [16]byte

// ConnOf returns the connection's short name. A source holds no NUL, so no two names are spelled alike.
func ConnOf(source, connection string) Conn {
	var buf [256]byte
	b := append(buf[:0], source...)
	b = append(b, 0)
	b = append(b, connection...)
	sum := sha256.Sum256(b)
	return Conn(sum[:16])
}

// First bytes of this package's rows.
const (
	prefixEntry    = 't' // t conn key -> entry
	prefixNode     = 'b' // b conn level key -> the closed blocks of that level within the block of the level above that starts at key
	prefixDelivery = 'x' // x conn key position index -> delivery
)

func entryKey(dst []byte, c Conn, k Key) []byte {
	dst = append(dst, prefixEntry)
	dst = append(dst, c[:]...)
	return k.AppendTo(dst)
}

func nodeKey(dst []byte, c Conn, level int, start Key) []byte {
	dst = append(dst, prefixNode)
	dst = append(dst, c[:]...)
	dst = append(dst, byte(level))
	return start.AppendTo(dst)
}

func deliveryKey(dst []byte, c Conn, k Key) []byte {
	dst = append(dst, prefixDelivery)
	dst = append(dst, c[:]...)
	return k.AppendTo(dst)
}

// Spine is what has to be remembered of a connection's blocks: the last entry
// and, for each level, where the block that is still open starts. The zero
// Spine is that of a connection without events.
type Spine struct {
	Any  bool // false while the connection has no event
	Last Key
	// Start holds, by level from 1, where the open block starts. The one above
	// the top level stands for the whole timeline and never moves.
	Start [Levels + 2]Key
}

func newSpine() Spine {
	s := Spine{Last: MinKey}
	for l := range s.Start {
		s.Start[l] = MinKey
	}
	return s
}

// AppendTo appends the spine to a row.
func (s *Spine) AppendTo(dst []byte) []byte {
	dst = s.Last.AppendTo(dst)
	n := s.top()
	dst = append(dst, byte(n))
	for l := 1; l <= n; l++ {
		k := &s.Start[l]
		dst = binary.AppendVarint(dst, s.Last.Effective-k.Effective)
		dst = binary.AppendUvarint(dst, k.Sequence)
		dst = binary.AppendUvarint(dst, k.Position)
		dst = binary.AppendUvarint(dst, uint64(k.Index))
	}
	return dst
}

// DecodeSpine reads what AppendTo wrote and returns the bytes behind it.
func DecodeSpine(b []byte, s *Spine) ([]byte, error) {
	*s = newSpine()
	if len(b) < KeySize+1 {
		return nil, errTruncated
	}
	s.Last, b = DecodeKey(b), b[KeySize:]
	n := int(b[0])
	b = b[1:]
	if n > Levels {
		return nil, errTruncated
	}
	d := decoder{b: b}
	for l := 1; l <= n; l++ {
		s.Start[l] = Key{Effective: s.Last.Effective - d.varint(), Sequence: d.uvarint(), Position: d.uvarint(), Index: uint32(d.uvarint())}
	}
	s.Any = true
	return d.b, d.err
}

// top returns the highest level that has a closed block, 0 where there is none. Only up to it are there nodes.
func (s *Spine) top() int {
	n := 0
	for n < Levels && s.Start[n+1] != MinKey {
		n++
	}
	return n
}

func (s *Spine) before(k Key) bool { return !s.Any || s.Last.Compare(k) < 0 }

// entryRows walks the entries of one connection.
type entryRows struct {
	view  kv.Reader
	it    *kv.Iter // opened by the first seek
	err   error    // of opening it
	conn  Conn
	entry Entry
	buf   []byte
}

func (r *entryRows) open() bool {
	if r.it == nil && r.err == nil {
		r.it, r.err = r.view.Iter(nil, nil)
	}
	return r.it != nil
}

// seek moves to the first entry at or behind k, and reports its key.
func (r *entryRows) seek(k Key) (Key, bool) {
	r.buf = entryKey(r.buf[:0], r.conn, k)
	if r.open() {
		r.it.SeekGE(r.buf)
	}
	return r.key()
}

// seekBefore moves to the last entry before k, and reports its key.
func (r *entryRows) seekBefore(k Key) (Key, bool) {
	r.buf = entryKey(r.buf[:0], r.conn, k)
	if r.open() {
		r.it.SeekLT(r.buf)
	}
	return r.key()
}

func (r *entryRows) next() (Key, bool) {
	r.it.Next()
	return r.key()
}

func (r *entryRows) key() (Key, bool) {
	if r.it == nil || !r.it.Valid() {
		return Key{}, false
	}
	k := r.it.Key()
	const head = 1 + len(Conn{})
	if len(k) != head+KeySize || k[0] != prefixEntry || Conn(k[1:head]) != r.conn {
		return Key{}, false
	}
	return DecodeKey(k[head:]), true
}

// lean reads what counts of the entry the iterator stands on. It is valid until the next call.
func (r *entryRows) lean(k Key) (*Entry, error) {
	v := r.it.Value()
	if v == nil {
		return nil, r.error()
	}
	if err := DecodeEntry(k, v, &r.entry, true); err != nil {
		return nil, damagedRow("entry", k, err)
	}
	return &r.entry, nil
}

func (r *entryRows) error() error {
	if r.it == nil {
		return r.err
	}
	return r.it.Err()
}

func (r *entryRows) close() error {
	if r.it == nil {
		return nil
	}
	it := r.it
	r.it = nil
	return it.Close()
}

func damagedRow(what string, k Key, err error) error {
	return fmt.Errorf("%w: %s at %v of a timeline: %w", kv.ErrDamaged, what, k, err)
}
