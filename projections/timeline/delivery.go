package timeline

import (
	"encoding/binary"
	"math"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/projections/kv"
)

// Delivery is a further delivery of an event under the same id. The event it
// repeats stands on the timeline; a delivery stands beside it.
type Delivery struct {
	Position   uint64
	Index      uint32
	Event      ulid.ULID
	ReceivedAt int64
	// Conflict is set where its bytes differ from those of the event it repeats.
	Conflict bool
}

// AddDelivery writes a delivery of the entry e and counts it there. The entry
// has to be among the changes of the next Apply.
func AddDelivery(b *kv.Batch, c Conn, e *Entry, d Delivery) error {
	e.Duplicates++
	if d.Conflict {
		e.Conflicts++
	}
	if e.Duplicates == 1 {
		e.LastReceivedAt = math.MinInt64
	}
	e.LastReceivedAt = max(e.LastReceivedAt, d.ReceivedAt)
	e.LastPosition = max(e.LastPosition, d.Position)
	key := deliveryKey(make([]byte, 0, 64), c, e.Key)
	key = binary.BigEndian.AppendUint64(key, d.Position)
	key = binary.BigEndian.AppendUint32(key, d.Index)
	val := append(make([]byte, 0, 32), 0)
	if d.Conflict {
		val[0] = 1
	}
	val = append(val, d.Event[:]...)
	val = binary.AppendVarint(val, d.ReceivedAt)
	return b.Set(key, val)
}

// Deliveries returns up to limit of the further deliveries of the entry at k, in
// the order of the log.
func (r *Reader) Deliveries(k Key, limit int) ([]Delivery, error) {
	var all []Delivery
	err := r.eachDelivery(k, func(d Delivery) bool {
		all = append(all, d)
		return len(all) < limit
	})
	return all, err
}

func (r *Reader) eachDelivery(k Key, fn func(Delivery) bool) error {
	prefix := deliveryKey(nil, r.rows.conn, k)
	if !r.rows.open() {
		return r.rows.error()
	}
	it := r.rows.it
	for ok := it.SeekGE(prefix); ok; ok = it.Next() {
		key := it.Key()
		if len(key) != len(prefix)+12 || string(key[:len(prefix)]) != string(prefix) {
			break
		}
		v := it.Value()
		if len(v) < 18 {
			return damagedRow("delivery", k, errTruncated)
		}
		d := Delivery{
			Position: binary.BigEndian.Uint64(key[len(prefix):]),
			Index:    binary.BigEndian.Uint32(key[len(prefix)+8:]),
			Conflict: v[0] == 1,
			Event:    ulid.ULID(v[1:17]),
		}
		at, n := binary.Varint(v[17:])
		if n <= 0 {
			return damagedRow("delivery", k, errTruncated)
		}
		d.ReceivedAt = at
		if !fn(d) {
			break
		}
	}
	return it.Err()
}

// KnownDeliveries corrects the counts of an entry to the deliveries received by known.
func (r *Reader) KnownDeliveries(e *Entry, known int64) error {
	e.Duplicates, e.Conflicts, e.LastReceivedAt, e.LastPosition = 0, 0, math.MinInt64, 0
	return r.eachDelivery(e.Key, func(d Delivery) bool {
		if d.ReceivedAt <= known {
			e.Duplicates++
			if d.Conflict {
				e.Conflicts++
			}
			e.LastReceivedAt = max(e.LastReceivedAt, d.ReceivedAt)
			e.LastPosition = max(e.LastPosition, d.Position)
		}
		return true
	})
}
