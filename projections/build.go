package projections

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// What a rebuild shares with the Projector, so that both make the same rows.

// First bytes of this package's rows.
const (
	PrefixMeta       = prefixMeta
	PrefixDelivered  = prefixDelivered
	PrefixGroup      = prefixGroup
	PrefixQuarantine = prefixQuarantine
	PrefixReceived   = prefixReceived
)

// Rows returns the rows that the view stands on.
func (v *View) Rows() kv.Reader { return v.kv.Reader }

// QuarantineKey appends the key of a quarantined event's row.
func QuarantineKey(dst []byte, position uint64, index uint32) []byte {
	dst = append(dst, prefixQuarantine)
	dst = binary.BigEndian.AppendUint64(dst, position)
	return binary.BigEndian.AppendUint32(dst, index)
}

// Row returns the value of a quarantined event's row.
func (q *Quarantine) Row() ([]byte, error) { return json.Marshal(q) }

// Delivery is the first delivery under an id, and what tells a conflict from a plain repeat.
type Delivery struct {
	Position uint64
	Index    uint32
	BodySum  uint64
}

// DeliveryHash stands for a (source, delivery id) in the keys of rows.
func DeliveryHash(source, id string) [16]byte { return deliveryHash(source, id) }

// DeliveryRow appends key and value of the row that keeps a first delivery.
func DeliveryRow(key, value []byte, hash [16]byte, d Delivery) (k, v []byte) {
	key = append(append(key, prefixDelivered), hash[:]...)
	return key, delivered{position: d.Position, index: d.Index, bodySum: d.BodySum}.append(value)
}

// LoadDelivery returns the first delivery under an id; false where there is none.
func LoadDelivery(r kv.Reader, hash [16]byte) (Delivery, bool, error) {
	b, ok, err := r.Get(nil, append([]byte{prefixDelivered}, hash[:]...))
	if err != nil || !ok {
		return Delivery{}, false, err
	}
	d, err := decodeDelivered(b)
	if err != nil {
		err = fmt.Errorf("%w: row of a delivery id: %w", kv.ErrDamaged, err)
	}
	return Delivery{Position: d.position, Index: d.index, BodySum: d.bodySum}, true, err
}

// GroupFates is what became of the events of one group, in their order.
type GroupFates struct {
	position uint64
	row      groupRow
	key, buf []byte
}

// Begin begins a group anew: ids are those of its events.
func (g *GroupFates) Begin(position uint64) {
	g.position = position
	g.row = groupRow{firstMs: ^uint64(0), outcomes: g.row.outcomes[:0]}
}

// Saw takes note of an event's id; of all of them before the first fate.
func (g *GroupFates) Saw(id ulid.ULID) {
	ms := id.Time()
	g.row.firstMs, g.row.lastMs = min(g.row.firstMs, ms), max(g.row.lastMs, ms)
}

// WidthMs is the time between the first and the last event of the group.
func (g *GroupFates) WidthMs() uint64 { return g.row.lastMs - g.row.firstMs }

// Placed says that the next event stands on a timeline.
func (g *GroupFates) Placed(c timeline.Conn, k timeline.Key) {
	g.row.outcomes = append(g.row.outcomes, outcome{fate: Placed, conn: c, key: k})
}

// Duplicate says that the next event repeats the one at a place in the log.
func (g *GroupFates) Duplicate(position uint64, index uint32) {
	g.row.outcomes = append(g.row.outcomes, outcome{fate: Duplicate, position: position, index: index})
}

// Quarantined says that the next event is in the quarantine.
func (g *GroupFates) Quarantined() {
	g.row.outcomes = append(g.row.outcomes, outcome{fate: Quarantined})
}

// Place returns where an event of the group is placed; false where it is not.
func (g *GroupFates) Place(index uint32) (timeline.Conn, timeline.Key, bool) {
	if int(index) >= len(g.row.outcomes) || g.row.outcomes[index].fate != Placed {
		return timeline.Conn{}, timeline.Key{}, false
	}
	o := &g.row.outcomes[index]
	return o.conn, o.key, true
}

// Rows calls group with the row of what became of the group's events, and received
// with the row of when they were received.
func (g *GroupFates) Rows(group, received func(key, value []byte)) {
	g.buf = g.row.append(g.buf[:0])
	g.key = binary.BigEndian.AppendUint64(append(g.key[:0], prefixGroup), g.position)
	group(g.key, g.buf)
	g.key = binary.BigEndian.AppendUint64(append(g.key[:0], prefixReceived), g.row.firstMs)
	g.key = binary.BigEndian.AppendUint64(g.key, g.position)
	received(g.key, ulidMs(g.row.lastMs))
}

// Load reads the fates of the group at a position; false where there are none.
func (g *GroupFates) Load(r kv.Reader, position uint64) (ok bool, err error) {
	g.position = position
	g.row, ok, err = loadGroupRow(r, position)
	return ok, err
}

// GroupKey appends the key of the row that says what became of a group's events.
func GroupKey(dst []byte, position uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, prefixGroup), position)
}

// CountFates adds what a group's row says to a checkpoint's counts and returns
// the group's position.
func CountFates(key, value []byte, c *Checkpoint) (position uint64, err error) {
	if len(key) != 9 || key[0] != prefixGroup {
		return 0, fmt.Errorf("%w: row of a group: %w", kv.ErrDamaged, errRow)
	}
	position = binary.BigEndian.Uint64(key[1:])
	d := fateDecoder{b: value}
	d.uvarint() // first received
	d.uvarint() // last received
	n := d.uvarint()
	for ; n > 0 && !d.bad; n-- {
		switch d.fate() {
		case Placed:
			d.skip(len(timeline.Conn{}))
			d.uvarint() // effective; a signed number is as long
			d.uvarint() // sequence
			c.Placed++
		case Duplicate:
			d.uvarint() // position
			d.uvarint() // index
			c.Duplicates++
		case Quarantined:
			c.Quarantined++
		default:
			d.bad = true
		}
	}
	if d.bad || n > 0 || len(d.b) > 0 {
		return position, fmt.Errorf("%w: row of position %d: %w", kv.ErrDamaged, position, errRow)
	}
	return position, nil
}

// fateDecoder reads no more of a group's row than counting takes.
type fateDecoder struct {
	b   []byte
	bad bool
}

func (d *fateDecoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	d.skip(n)
	if n <= 0 {
		d.bad = true
	}
	return v
}

func (d *fateDecoder) fate() Fate {
	if len(d.b) == 0 {
		return 0
	}
	f := Fate(d.b[0])
	d.b = d.b[1:]
	return f
}

func (d *fateDecoder) skip(n int) {
	if n < 0 || n > len(d.b) {
		d.b, d.bad = nil, true
		return
	}
	d.b = d.b[n:]
}
