package rebuild

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// rows collects rows of one kind until they are written in the order of their keys.
type rows struct {
	list []row
	buf  []byte // keys and values
}

// row is where a row lies in buf: key and value, one behind the other.
type row struct {
	head       uint64 // of the key behind its first byte, to compare by
	at         int
	key, value uint32 // lengths
}

// add copies a row.
func (r *rows) add(key, value []byte) {
	at := len(r.buf)
	r.buf = append(r.buf, key...)
	r.buf = append(r.buf, value...)
	r.list = append(r.list, row{head: headOf(key), at: at, key: uint32(len(key)), value: uint32(len(value))})
}

// headOf is the number whose order is that of the key's bytes behind the first.
func headOf(key []byte) uint64 {
	if len(key) >= 9 {
		return binary.BigEndian.Uint64(key[1:])
	}
	var b [8]byte
	copy(b[:], key[min(1, len(key)):])
	return binary.BigEndian.Uint64(b[:])
}

func (r *rows) keyOf(e row) []byte   { return r.buf[e.at : e.at+int(e.key)] }
func (r *rows) valueOf(e row) []byte { return r.buf[e.at+int(e.key) : e.at+int(e.key+e.value)] }

// write sorts the rows and writes them to a table.
func (r *rows) write(t *table) error {
	slices.SortFunc(r.list, stepping(t.turn, func(a, b row) int {
		if a.head != b.head {
			if a.head < b.head {
				return -1
			}
			return 1
		}
		return bytes.Compare(r.keyOf(a), r.keyOf(b))
	}))
	for _, e := range r.list {
		if err := t.Set(r.keyOf(e), r.valueOf(e)); err != nil {
			return err
		}
	}
	return nil
}

func (r *rows) reset() { r.list, r.buf = r.list[:0], r.buf[:0] }
