package projections

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// First bytes of this package's rows. Those of the packages below are in
// timeline ('t', 'b', 'x') and connections ('m', 'n', 'h').
const (
	prefixMeta       = 'a' // a: one row, format and checkpoint
	prefixDelivered  = 'd' // d hash -> first delivery under that id
	prefixGroup      = 'g' // g position -> what became of each event of the group
	prefixReceived   = 'r' // r first-received-ms position -> last-received-ms
	prefixQuarantine = 'q' // q position index -> why
)

var errRow = errors.New("row is cut short or has bytes left over")

// Fate is what became of an event.
type Fate byte

// The fates. The numbers are stored.
const (
	Placed Fate = iota + 1
	Duplicate
	Quarantined
)

// String returns the fate in a word.
func (f Fate) String() string {
	return [...]string{"", "placed", "duplicate", "quarantined"}[f]
}

// outcome is what a group's row says of one event.
type outcome struct {
	fate Fate
	// conn and key are where the event stands, if it is placed.
	conn timeline.Conn
	key  timeline.Key
	// position and index are those of the event it repeats, if it is a duplicate.
	position uint64
	index    uint32
}

// groupRow is what a group's row says. Times are milliseconds, those of the ULIDs.
type groupRow struct {
	firstMs, lastMs uint64
	outcomes        []outcome
}

func groupKey(position uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefixGroup}, position)
}

func (g *groupRow) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, g.firstMs)
	dst = binary.AppendUvarint(dst, g.lastMs-g.firstMs)
	dst = binary.AppendUvarint(dst, uint64(len(g.outcomes)))
	for i := range g.outcomes {
		o := &g.outcomes[i]
		dst = append(dst, byte(o.fate))
		switch o.fate {
		case Placed:
			dst = append(dst, o.conn[:]...)
			dst = binary.AppendVarint(dst, o.key.Effective-int64(g.firstMs)*1e6)
			dst = binary.AppendUvarint(dst, o.key.Sequence)
		case Duplicate:
			dst = binary.AppendUvarint(dst, o.position)
			dst = binary.AppendUvarint(dst, uint64(o.index))
		}
	}
	return dst
}

func decodeGroupRow(position uint64, b []byte) (groupRow, error) {
	var g groupRow
	bad := fmt.Errorf("%w: row of position %d: %w", kv.ErrDamaged, position, errRow)
	u := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			b = nil
			return 0
		}
		b = b[n:]
		return v
	}
	g.firstMs = u()
	g.lastMs = g.firstMs + u()
	n := u()
	if n > uint64(len(b)) {
		return g, bad
	}
	for i := range n {
		if len(b) == 0 {
			return g, bad
		}
		o := outcome{fate: Fate(b[0])}
		b = b[1:]
		switch o.fate {
		case Placed:
			if len(b) < len(o.conn)+2 {
				return g, bad
			}
			b = b[copy(o.conn[:], b):]
			d, n := binary.Varint(b)
			if n <= 0 {
				return g, bad
			}
			b = b[n:]
			o.key = timeline.Key{Effective: int64(g.firstMs)*1e6 + d, Sequence: u(), Position: position, Index: uint32(i)}
		case Duplicate:
			o.position = u()
			o.index = uint32(u())
		case Quarantined:
		default:
			return g, bad
		}
		g.outcomes = append(g.outcomes, o)
	}
	if len(b) != 0 {
		return g, bad
	}
	return g, nil
}

func loadGroupRow(r kv.Reader, position uint64) (groupRow, bool, error) {
	b, ok, err := r.Get(nil, groupKey(position))
	if err != nil || !ok {
		return groupRow{}, false, err
	}
	g, err := decodeGroupRow(position, b)
	return g, true, err
}

// deliveryHash names a (source, delivery id) in the keys of rows.
func deliveryHash(source, id string) [16]byte {
	var buf [256]byte
	b := append(buf[:0], source...)
	b = append(b, 0)
	b = append(b, id...)
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16])
}

// delivered is the first delivery under an id: for ever, not for a window.
type delivered struct {
	position uint64
	index    uint32
	bodySum  uint64
}

func (d delivered) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, d.position)
	dst = binary.AppendUvarint(dst, uint64(d.index))
	return binary.LittleEndian.AppendUint64(dst, d.bodySum)
}

func decodeDelivered(b []byte) (delivered, error) {
	p, n := binary.Uvarint(b)
	if n <= 0 {
		return delivered{}, errRow
	}
	i, m := binary.Uvarint(b[n:])
	if m <= 0 || len(b) != n+m+8 {
		return delivered{}, errRow
	}
	return delivered{position: p, index: uint32(i), bodySum: binary.LittleEndian.Uint64(b[n+m:])}, nil
}

// Checkpoint is how far a directory has come, and what it counted on the way.
type Checkpoint struct {
	// Position is the last position applied, GroupID the id of the group that stood there.
	Position uint64
	GroupID  ulid.ULID
	// Placed, Duplicates and Quarantined add up to the events read.
	Placed, Duplicates, Quarantined uint64
	// WidestMs is the longest time between the first and the last event of a group.
	WidestMs uint64
}

// Events is the number of events read so far.
func (c *Checkpoint) Events() uint64 { return c.Placed + c.Duplicates + c.Quarantined }
