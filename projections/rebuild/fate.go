package rebuild

import (
	"errors"
	"fmt"
	"math"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// fates decides what becomes of each event, in the order of the log, as the
// Projector does. What it has to remember of all the log is a filter of fixed size
// and, of each connection, the latest effective time.
type fates struct {
	db  kv.Reader
	gen projections.Generation

	// seen holds all ids but those of the first chunk while that is filled; nil until then.
	seen    *filter
	latest  map[timeline.Conn]uint32 // index into times
	times   []int64
	current *chunk
	before  *chunk // which is being written, or was

	group, earlier projections.GroupFates
	key, value     []byte
	touched        uint64
	turn           *turn
}

// parcel decides the fates of a parcel's groups and calls cut after each that fills the chunk.
func (f *fates) parcel(p *parcel, full func() bool, cut func() error) error {
	f.touch(p.mapped)
	from := 0
	for _, g := range p.groups {
		if err := f.decide(p, g, from); err != nil {
			return err
		}
		f.turn.step(g.end - from)
		from = g.end
		if full() {
			if err := cut(); err != nil {
				return err
			}
		}
	}
	return nil
}

// touch fetches what the next events' ids are looked up in, side by side: see writer.touch.
func (f *fates) touch(next []mapped) {
	for i := range next {
		if !next[i].hasID {
			continue
		}
		f.touched += uint64(f.current.ids.slots[slotOf(&next[i].hash)&f.current.ids.mask])
		if f.seen != nil {
			f.touched += f.seen.blockOf(&next[i].hash)[0]
		}
	}
}

func (f *fates) decide(p *parcel, g parcelGroup, from int) error {
	c := &f.gen.Checkpoint
	if g.position != c.Position+1 {
		return fmt.Errorf("%w: position %d came where %d was due", eventstore.ErrIntegrity, g.position, c.Position+1)
	}
	if g.end == from {
		return fmt.Errorf("%w: group at position %d holds no event", eventstore.ErrIntegrity, g.position)
	}
	f.group.Begin(g.position)
	for i := from; i < g.end; i++ {
		f.group.Saw(p.mapped[i].event)
	}
	for i := from; i < g.end; i++ {
		if err := f.event(p, &p.mapped[i], g.position, uint32(i-from)); err != nil {
			return fmt.Errorf("event %s at position %d: %w", p.mapped[i].event, g.position, err)
		}
	}
	c.Position, c.GroupID = g.position, g.id
	c.WidestMs = max(c.WidestMs, f.group.WidthMs())
	f.group.Rows(f.current.groups.add, f.current.received.add)
	return nil
}

func (f *fates) event(p *parcel, m *mapped, position uint64, index uint32) error {
	c := &f.gen.Checkpoint
	if m.quarantined {
		c.Quarantined++
		f.gen.Stats.Quarantine++
		f.group.Quarantined()
		f.key = projections.QuarantineKey(f.key[:0], position, index)
		f.current.quarantine.add(f.key, m.row.of(p.out))
		return nil
	}
	if m.hasID && (f.seen == nil || f.seen.add(&m.hash)) {
		first, was, err := f.firstDelivery(m)
		if err != nil {
			return err
		}
		if was {
			c.Duplicates++
			f.group.Duplicate(first.position, first.index)
			return f.repeat(first, m, position, index)
		}
	}
	f.place(p, m)
	c.Placed++
	f.group.Placed(m.conn, m.key)
	return nil
}

// place puts an event on its timeline.
func (f *fates) place(p *parcel, m *mapped) {
	row := f.current.place(m, m.row.of(p.out))
	if m.hasID {
		f.current.keep(m)
	}
	at, known := f.latest[m.conn]
	if !known {
		f.latest[m.conn] = uint32(len(f.times))
		f.times = append(f.times, m.key.Effective)
		f.key = connections.NameKey(f.key[:0], m.conn)
		f.current.names.add(f.key, m.name.of(p.out))
		return
	}
	if m.key.Effective < f.times[at] {
		timeline.MarkLate(row)
	} else {
		f.times[at] = m.key.Effective
	}
}

// original is the event that a duplicate repeats.
type original struct {
	position uint64
	index    uint32
	bodySum  uint64
	conn     timeline.Conn
	key      timeline.Key
}

// firstDelivery finds the first delivery under an id: in this chunk, in the one
// before, which may not be taken in yet, or in the directory.
func (f *fates) firstDelivery(m *mapped) (original, bool, error) {
	for _, c := range []*chunk{f.current, f.before} {
		if d := c.ids.find(c.first, &m.hash); d != nil {
			e := &c.placed[d.placed]
			return original{e.key.Position, e.key.Index, d.bodySum, e.conn, e.key}, true, nil
		}
	}
	if f.seen == nil {
		return original{}, false, nil
	}
	d, ok, err := projections.LoadDelivery(f.db, m.hash)
	if err != nil || !ok {
		return original{}, false, err
	}
	ok, err = f.earlier.Load(f.db, d.Position)
	if err != nil {
		return original{}, false, err
	}
	conn, key, placed := f.earlier.Place(d.Index)
	if !ok || !placed {
		return original{}, false, fmt.Errorf("%w: position %d, index %d should hold a placed event", kv.ErrDamaged, d.Position, d.Index)
	}
	return original{d.Position, d.Index, d.BodySum, conn, key}, true, nil
}

// repeat puts a further delivery beside the event that it repeats. It is counted
// there when timelines are folded.
func (f *fates) repeat(first original, m *mapped, position uint64, index uint32) error {
	f.key, f.value = timeline.AppendDelivery(f.key[:0], f.value[:0], first.conn, first.key, &timeline.Delivery{
		Position: position, Index: index, Event: m.event,
		ReceivedAt: m.received, Conflict: first.bodySum != m.bodySum,
	})
	f.current.deliveries.add(f.key, f.value)
	return nil
}

// remember makes the filter, which has room for the ids of a log of so many events
// or takes most bytes, and puts the ids of the chunk at hand into it.
func (f *fates) remember(events uint64, most int) {
	f.seen = newFilter(int(min(uint64(most), max(events, 1<<16)*filterBytesAnID)))
	for i := range f.current.first {
		f.seen.add(&f.current.first[i].hash)
	}
}

// restore brings back what a rebuild that stopped remembered: from the rows it had taken in.
func (f *fates) restore() error {
	err := each(f.db, projections.PrefixDelivered, func(key, _ []byte) error {
		if len(key) != 17 {
			return fmt.Errorf("%w: row of a delivery id", kv.ErrDamaged)
		}
		f.seen.add((*[16]byte)(key[1:]))
		f.turn.step(1)
		return nil
	})
	if err != nil {
		return err
	}
	it, err := f.db.Iter([]byte{timeline.PrefixEntry}, []byte{timeline.PrefixEntry + 1})
	if err != nil {
		return err
	}
	// The last entry of a connection is its latest: one look each, from the end.
	for ok := it.Last(); ok; {
		conn, key, _, good := timeline.SplitEntryKey(it.Key())
		if !good {
			return errors.Join(fmt.Errorf("%w: row of a timeline", kv.ErrDamaged), it.Close())
		}
		f.latest[conn] = uint32(len(f.times))
		f.times = append(f.times, key.Effective)
		f.key = timeline.EntryKey(f.key[:0], conn, timeline.Key{Effective: math.MinInt64})
		f.turn.step(1)
		ok = it.SeekLT(f.key)
	}
	return it.Close()
}

// each calls fn for every row of a kind. Key and value are valid during the call.
func each(r kv.Reader, prefix byte, fn func(key, value []byte) error) error {
	it, err := r.Iter([]byte{prefix}, []byte{prefix + 1})
	if err != nil {
		return err
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		err = fn(it.Key(), it.Value())
	}
	if cerr := it.Close(); err == nil {
		err = cerr
	}
	return err
}
