package timeline

import (
	"encoding/binary"
	"math"

	"github.com/oklog/ulid/v2"
)

// What a rebuild shares with the Writer, so that both make the same rows.

// First bytes of this package's rows.
const (
	PrefixEntry    = prefixEntry
	PrefixNode     = prefixNode
	PrefixDelivery = prefixDelivery
)

// EntryKey appends the key of an entry's row.
func EntryKey(dst []byte, c Conn, k Key) []byte { return entryKey(dst, c, k) }

// SplitEntryKey reads the key of an entry's or a delivery's row; false where it is none.
func SplitEntryKey(b []byte) (c Conn, k Key, rest []byte, ok bool) {
	const head = 1 + len(c)
	if len(b) < head+KeySize {
		return c, k, nil, false
	}
	copy(c[:], b[1:])
	return c, DecodeKey(b[head:]), b[head+KeySize:], true
}

// MarkLate turns the row of an entry that is not late into that of one that is.
func MarkLate(row []byte) { row[0] |= flagLate }

// HasDetail reports whether the row of an entry carries a Detail.
func HasDetail(row []byte) bool { return len(row) > 0 && row[0]&flagDetail != 0 }

// AppendDelivery appends key and value of a delivery's row: one of the entry at k.
func AppendDelivery(key, value []byte, c Conn, k Key, d *Delivery) (rowKey, row []byte) {
	key = deliveryKey(key, c, k)
	key = binary.BigEndian.AppendUint64(key, d.Position)
	key = binary.BigEndian.AppendUint32(key, d.Index)
	conflict := byte(0)
	if d.Conflict {
		conflict = 1
	}
	value = append(value, conflict)
	value = append(value, d.Event[:]...)
	return key, binary.AppendVarint(value, d.ReceivedAt)
}

// DecodeDelivery reads a delivery's row; rest is what SplitEntryKey left of its key.
func DecodeDelivery(rest, row []byte) (Delivery, error) {
	if len(rest) != 12 || len(row) < 18 {
		return Delivery{}, errTruncated
	}
	d := Delivery{
		Position: binary.BigEndian.Uint64(rest),
		Index:    binary.BigEndian.Uint32(rest[8:]),
		Conflict: row[0] == 1,
		Event:    ulid.ULID(row[1:17]),
	}
	at, n := binary.Varint(row[17:])
	if n <= 0 || 17+n != len(row) {
		return Delivery{}, errTruncated
	}
	d.ReceivedAt = at
	return d, nil
}

// Count counts a further delivery with the entry. The zero counts are those of CountNone.
func (e *Entry) Count(d *Delivery) {
	e.Duplicates++
	if d.Conflict {
		e.Conflicts++
	}
	e.LastReceivedAt = max(e.LastReceivedAt, d.ReceivedAt)
	e.LastPosition = max(e.LastPosition, d.Position)
}

// CountNone takes all further deliveries from the entry, to Count them anew.
func (e *Entry) CountNone() {
	e.Duplicates, e.Conflicts, e.LastReceivedAt, e.LastPosition = 0, 0, math.MinInt64, 0
}
