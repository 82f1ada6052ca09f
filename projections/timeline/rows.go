package timeline

import (
	"crypto/sha256"

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
	prefixEntry = 't' // t conn key -> entry
	prefixBlock = 'b' // b conn level key -> summary of the block that starts there
)

// Spine is what has to be remembered of a connection's blocks: the last entry
// and, for each level, where the block that is still open starts. The zero
// Spine is that of a connection without events.
type Spine struct {
	Last  Key
	Start [Levels + 1]Key // by level; Start[0] is not used
	Any   bool            // false while the connection has no event
}

func newSpine() Spine {
	var s Spine
	s.Last = MinKey
	for l := range s.Start {
		s.Start[l] = MinKey
	}
	return s
}

// AppendTo appends the spine to a row.
func (s *Spine) AppendTo(dst []byte) []byte {
	dst = s.Last.AppendTo(dst)
	n := byte(0)
	for l := 1; l <= Levels && s.Start[l] != MinKey; l++ {
		n++
	}
	dst = append(dst, n)
	for l := 1; l <= int(n); l++ {
		dst = s.Start[l].AppendTo(dst)
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
	if n > Levels || len(b) < n*KeySize {
		return nil, errTruncated
	}
	for l := 1; l <= n; l++ {
		s.Start[l], b = DecodeKey(b), b[KeySize:]
	}
	s.Any = true
	return b, nil
}

func entryKey(dst []byte, c Conn, k Key) []byte {
	dst = append(dst, prefixEntry)
	dst = append(dst, c[:]...)
	return k.AppendTo(dst)
}

func blockKey(dst []byte, c Conn, level int, k Key) []byte {
	dst = append(dst, prefixBlock)
	dst = append(dst, c[:]...)
	dst = append(dst, byte(level))
	return k.AppendTo(dst)
}

// item is a row of one level: an entry at level 0, a closed block above.
type item struct {
	key   Key
	entry *Entry   // at level 0
	sum   *Summary // above
}

func (i *item) joinInto(s *Summary) {
	if i.entry != nil {
		s.Add(i.entry)
	} else {
		s.Join(i.sum)
	}
}

// levelRows walks the rows of one connection and one level.
type levelRows struct {
	view  kv.Reader
	it    *kv.Iter // opened by the first seek
	err   error    // of opening it
	conn  Conn
	level int
	entry Entry
	sum   Summary
	buf   []byte
}

// seek moves to the first row at or behind k, and reports its key.
func (r *levelRows) seek(level int, k Key) (Key, bool) {
	r.level = level
	if level == 0 {
		r.buf = entryKey(r.buf[:0], r.conn, k)
	} else {
		r.buf = blockKey(r.buf[:0], r.conn, level, k)
	}
	if r.open() {
		r.it.SeekGE(r.buf)
	}
	return r.key()
}

// seekAtOrBefore moves to the last row at or before k, and reports its key.
func (r *levelRows) seekAtOrBefore(level int, k Key) (Key, bool) {
	r.level = level
	r.buf = append(blockKey(r.buf[:0], r.conn, level, k), 0)
	if r.open() {
		r.it.SeekLT(r.buf)
	}
	return r.key()
}

// seekBefore moves to the last row before k, and reports its key.
func (r *levelRows) seekBefore(level int, k Key) (Key, bool) {
	if r.seek(level, k); r.it != nil {
		r.it.SeekLT(r.buf)
	}
	return r.key()
}

func (r *levelRows) open() bool {
	if r.it == nil && r.err == nil {
		r.it, r.err = r.view.Iter(nil, nil)
	}
	return r.it != nil
}

func (r *levelRows) error() error {
	if r.it == nil {
		return r.err
	}
	return r.it.Err()
}

func (r *levelRows) close() error {
	if r.it == nil {
		return nil
	}
	it := r.it
	r.it = nil
	return it.Close()
}

func (r *levelRows) next() (Key, bool) {
	r.it.Next()
	return r.key()
}

func (r *levelRows) key() (Key, bool) {
	if r.it == nil || !r.it.Valid() {
		return Key{}, false
	}
	k := r.it.Key()
	head := 1 + len(r.conn)
	want := byte(prefixEntry)
	if r.level > 0 {
		head++
		want = prefixBlock
	}
	if len(k) != head+KeySize || k[0] != want || [16]byte(k[1:17]) != r.conn || r.level > 0 && k[17] != byte(r.level) {
		return Key{}, false
	}
	return DecodeKey(k[head:]), true
}

// value reads the row the iterator stands on; the item is valid until the next call.
func (r *levelRows) value(k Key) (item, error) {
	v := r.it.Value()
	if v == nil {
		return item{}, r.error()
	}
	if r.level == 0 {
		if err := DecodeEntry(k, v, &r.entry, true); err != nil {
			return item{}, damagedRow("entry", k, err)
		}
		return item{key: k, entry: &r.entry}, nil
	}
	rest, err := DecodeSummary(v, &r.sum)
	if err == nil && len(rest) != 0 {
		err = errTruncated
	}
	if err != nil {
		return item{}, damagedRow("block", k, err)
	}
	return item{key: k, sum: &r.sum}, nil
}
