package projections

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// Projector applies groups to a directory. Not safe for concurrent use; readers
// of the directory need no care.
type Projector struct {
	// Hub, if not nil, is told what each batch changed.
	Hub *Hub

	db       *kv.DB
	observer *Observer

	definitions map[string]*providers.Definition // what each source's events are read by
	// outdated are the sources that Outdated names; true where their events were read
	// by another definition, false where they are in the quarantine for lack of one.
	outdated map[string]bool

	done meta // as the directory has it
	next meta // with the batch at hand

	// rows holds connections that were changed lately, as the directory has them.
	rows map[timeline.Conn]*connections.Row
	seen seen

	batch   *kv.Batch
	writer  *timeline.Writer
	touched map[timeline.Conn]*touched
	order   []*touched
	ids     map[[16]byte]delivered
	groups  map[uint64]groupRow // of the batch at hand
	events  int
	buf     []byte
}

// touched is a connection that the batch at hand changes.
type touched struct {
	conn    timeline.Conn
	row     *connections.Row
	before  connections.Health
	latest  int64 // the latest effective time so far
	changes map[timeline.Key]*timeline.Entry
}

// NewProjector returns a projector that goes on at the directory's checkpoint
// and maps each source's events by its definition.
func NewProjector(db *kv.DB, definitions map[string]*providers.Definition) (*Projector, error) {
	m, _, err := loadMeta(db.Reader)
	if err != nil {
		return nil, err
	}
	if m.Format != Format {
		return nil, fmt.Errorf("%w: it has format %d and this program writes %d", ErrOtherVersion, m.Format, Format)
	}
	p := &Projector{db: db, done: m, next: m, observer: NewObserver(nil), batch: db.Batch(),
		definitions: map[string]*providers.Definition{}, outdated: map[string]bool{},
		rows: map[timeline.Conn]*connections.Row{},
		seen: seen{filter: NewFilter(seenBytes), loaded: make(chan *Filter, 1), whole: m.Checkpoint.Position == 0}}
	for source, d := range definitions {
		if err := p.Define(source, d); err != nil {
			return nil, err
		}
	}
	p.writer = timeline.NewWriter(db.Reader, p.batch)
	p.reset()
	return p, nil
}

// ErrOtherVersion means a directory was written by another version of the program.
var ErrOtherVersion = errors.New("projection directory is of another version")

func (p *Projector) reset() {
	p.next = p.done
	p.next.Stats, p.next.Definitions = p.done.Stats.clone(), maps.Clone(p.done.Definitions)
	p.touched = map[timeline.Conn]*touched{}
	p.order = p.order[:0]
	p.ids = map[[16]byte]delivered{}
	p.groups = map[uint64]groupRow{}
	p.events = 0
}

// Checkpoint returns how far the directory has come, the batch at hand left out.
func (p *Projector) Checkpoint() Checkpoint { return p.done.Checkpoint }

// Stats returns what the directory holds, the batch at hand left out.
func (p *Projector) Stats() Stats { return p.done.Stats }

// Pending returns the number of events in the batch at hand.
func (p *Projector) Pending() int { return p.events }

// Add takes a group into the batch at hand. The group must be the one behind
// the last: anything else is an eventstore.ErrIntegrity and changes nothing. After any other error
// the batch at hand is given up, for it has a part of the group: the next is due behind
// Checkpoint. The group may be reused after Add.
func (p *Projector) Add(g *eventstore.Group) error {
	if want := p.next.Checkpoint.Position + 1; uint64(g.Position) != want {
		return fmt.Errorf("%w: position %d came where %d was due", eventstore.ErrIntegrity, g.Position, want)
	}
	if len(g.Events) == 0 {
		return fmt.Errorf("%w: group at position %d holds no event", eventstore.ErrIntegrity, g.Position)
	}
	if err := p.add(g); err != nil {
		return errors.Join(err, p.abandon())
	}
	return nil
}

func (p *Projector) add(g *eventstore.Group) error {
	row := groupRow{firstMs: math.MaxUint64, outcomes: make([]outcome, 0, len(g.Events))}
	for i := range g.Events {
		ms := g.Events[i].ID.Time()
		row.firstMs, row.lastMs = min(row.firstMs, ms), max(row.lastMs, ms)
	}
	for i := range g.Events {
		o, err := p.event(&g.Events[i], uint64(g.Position), uint32(i), row.outcomes)
		if err != nil {
			return fmt.Errorf("event %s at position %d: %w", g.Events[i].ID, g.Position, err)
		}
		row.outcomes = append(row.outcomes, o)
	}
	p.groups[uint64(g.Position)] = row
	p.events += len(g.Events)
	cp := &p.next.Checkpoint
	cp.Position, cp.GroupID = uint64(g.Position), g.ID
	cp.WidestMs = max(cp.WidestMs, row.lastMs-row.firstMs)
	p.buf = row.append(p.buf[:0])
	if err := p.batch.Set(groupKey(cp.Position), p.buf); err != nil {
		return err
	}
	return p.batch.Set(receivedKey(row.firstMs, cp.Position), ulidMs(row.lastMs))
}

// event decides one event's fate. before holds those of the events before it in its group.
func (p *Projector) event(e *eventstore.Event, position uint64, index uint32, before []outcome) (outcome, error) {
	obs, bad, err := p.observe(e)
	if err != nil {
		return outcome{}, err
	}
	if bad != nil {
		p.next.Checkpoint.Quarantined++
		p.next.Stats.Quarantine++
		return outcome{fate: Quarantined}, putQuarantined(p.batch, position, index, bad)
	}
	if obs.DeliveryID != "" {
		hash := deliveryHash(e.Source, obs.DeliveryID)
		me := delivered{position: position, index: index, bodySum: xxhash.Sum64(e.Body)}
		first, again, err := p.firstDelivery(hash)
		if err != nil {
			return outcome{}, err
		}
		if again {
			return p.repeat(e, first, me, before)
		}
		p.ids[hash] = me
		key := append(append(make([]byte, 0, 17), prefixDelivered), hash[:]...)
		if err := p.batch.Set(key, me.append(p.buf[:0])); err != nil {
			return outcome{}, err
		}
	}
	t, err := p.touch(e.Source, obs.Connection)
	if err != nil {
		return outcome{}, err
	}
	entry := new(timeline.Entry)
	EntryOf(entry, e, &obs, position, index)
	entry.Late = entry.Key.Effective < t.latest
	t.latest = max(t.latest, entry.Key.Effective)
	t.changes[entry.Key] = entry
	p.next.Checkpoint.Placed++
	return outcome{fate: Placed, conn: t.conn, key: entry.Key}, nil
}

// firstDelivery returns the first delivery under an id, if there was one.
func (p *Projector) firstDelivery(hash [16]byte) (delivered, bool, error) {
	if d, ok := p.ids[hash]; ok {
		return d, true, nil
	}
	if p.seen.newly(&hash) {
		return delivered{}, false, nil
	}
	p.buf = append(append(p.buf[:0], prefixDelivered), hash[:]...)
	b, ok, err := p.db.Get(nil, p.buf)
	if err != nil || !ok {
		return delivered{}, false, err
	}
	d, err := decodeDelivered(b)
	if err != nil {
		err = fmt.Errorf("%w: row of a delivery id: %w", kv.ErrDamaged, err)
	}
	return d, true, err
}

// repeat counts a further delivery with the event it repeats.
func (p *Projector) repeat(e *eventstore.Event, first, me delivered, before []outcome) (outcome, error) {
	o, err := p.outcomeOf(first, me.position, before)
	if err != nil {
		return outcome{}, err
	}
	entry, t, err := p.placed(o)
	if err != nil {
		return outcome{}, err
	}
	err = timeline.AddDelivery(p.batch, t.conn, entry, timeline.Delivery{
		Position: me.position, Index: me.index, Event: e.ID,
		ReceivedAt: e.ReceivedAt.UnixNano(), Conflict: first.bodySum != me.bodySum,
	})
	p.next.Checkpoint.Duplicates++
	return outcome{fate: Duplicate, position: first.position, index: first.index}, err
}

// outcomeOf returns what became of the first delivery: in this group, in this batch, or before.
func (p *Projector) outcomeOf(first delivered, position uint64, before []outcome) (outcome, error) {
	if first.position == position {
		return before[first.index], nil
	}
	g, ok := p.groups[first.position]
	if !ok {
		var err error
		if g, ok, err = loadGroupRow(p.db.Reader, first.position); err != nil {
			return outcome{}, err
		}
	}
	if !ok || int(first.index) >= len(g.outcomes) || g.outcomes[first.index].fate != Placed {
		return outcome{}, fmt.Errorf("%w: position %d, index %d should hold a placed event", kv.ErrDamaged, first.position, first.index)
	}
	return g.outcomes[first.index], nil
}

// placed returns the entry of a placed event as something that changes with this batch.
func (p *Projector) placed(o outcome) (*timeline.Entry, *touched, error) {
	t := p.touched[o.conn]
	if t == nil {
		source, id, ok, err := connections.NameOf(p.db.Reader, o.conn)
		if err == nil && !ok {
			err = fmt.Errorf("%w: a placed event's connection has no name", kv.ErrDamaged)
		}
		if err != nil {
			return nil, nil, err
		}
		if t, err = p.touch(source, id); err != nil {
			return nil, nil, err
		}
	}
	if e := t.changes[o.key]; e != nil {
		return e, t, nil
	}
	e, ok, err := timeline.LoadEntry(p.db.Reader, o.conn, o.key)
	if err == nil && !ok {
		err = fmt.Errorf("%w: a placed event is not on its timeline", kv.ErrDamaged)
	}
	if err != nil {
		return nil, nil, err
	}
	t.changes[o.key] = &e
	return &e, t, nil
}

// touch returns the connection as the batch at hand has it.
func (p *Projector) touch(source, id string) (*touched, error) {
	conn := timeline.ConnOf(source, id)
	if t := p.touched[conn]; t != nil {
		return t, nil
	}
	row := p.rows[conn]
	if row == nil {
		loaded, _, err := connections.Load(p.db.Reader, source, id)
		if err != nil {
			return nil, err
		}
		row = &loaded
	}
	t := &touched{conn: conn, row: row, latest: math.MinInt64, changes: map[timeline.Key]*timeline.Entry{}}
	if row.Spine.Any {
		t.before = row.Health()
		t.latest = row.Sum.Last
	}
	p.touched[conn] = t
	p.order = append(p.order, t)
	return t, nil
}

// Commit applies the batch at hand: all of it or, after a crash or an error, nothing. After an error
// it is given up: the next group is due behind Checkpoint.
func (p *Projector) Commit() error {
	if p.events == 0 {
		return nil
	}
	if err := p.commit(); err != nil {
		return errors.Join(err, p.abandon())
	}
	before := p.done.Checkpoint.Position
	p.done = p.next
	if p.Hub != nil {
		changed := make([]Name, len(p.order))
		for i, t := range p.order {
			changed[i] = Name{t.row.Source, t.row.ID}
		}
		p.Hub.tell(changed, before, p.done.Checkpoint.Position)
	}
	p.reset()
	return nil
}

// commit writes the batch at hand.
func (p *Projector) commit() error {
	for _, t := range p.order {
		if err := p.settle(t); err != nil {
			return fmt.Errorf("connection %q of source %s: %w", t.row.ID, t.row.Source, err)
		}
	}
	if err := p.writer.Close(); err != nil {
		return err
	}
	if err := p.next.put(p.batch); err != nil {
		return err
	}
	return p.batch.Commit()
}

// settle puts a connection's changes on its timeline and rewrites its row.
func (p *Projector) settle(t *touched) error {
	changes := make([]*timeline.Entry, 0, len(t.changes))
	for _, e := range t.changes {
		changes = append(changes, e)
	}
	slices.SortFunc(changes, func(a, b *timeline.Entry) int { return a.Key.Compare(b.Key) })
	was := t.row.Sum.Facets
	if err := p.writer.Apply(t.conn, &t.row.Sum, &t.row.Spine, changes); err != nil {
		return err
	}
	find := func(k timeline.Key) (*timeline.Entry, error) {
		if e := t.changes[k]; e != nil {
			return e, nil
		}
		e, ok, err := timeline.LoadEntry(p.db.Reader, t.conn, k)
		if err == nil && !ok {
			err = fmt.Errorf("%w: the event that set a facet is not on the timeline", kv.ErrDamaged)
		}
		return &e, err
	}
	if err := t.row.Setters.Follow(&was, &t.row.Sum.Facets, find); err != nil {
		return err
	}
	p.next.Stats.move(t.row.Source, t.before, t.row.Health())
	p.remember(t)
	return connections.Put(p.batch, t.row, t.before)
}

// maxRows bounds the connections that are kept in memory, some 1.5 kB each.
const maxRows = 8192

// remember keeps a connection's row for the next batch, in place of any other where there are too many.
func (p *Projector) remember(t *touched) {
	p.rows[t.conn] = t.row
	if len(p.rows) <= maxRows {
		return
	}
	for c := range p.rows {
		if c != t.conn {
			delete(p.rows, c)
			return
		}
	}
}

// abandon gives up the batch at hand, and what is kept in memory of it.
func (p *Projector) abandon() error {
	err := p.Close()
	p.batch = p.db.Batch()
	p.writer = timeline.NewWriter(p.db.Reader, p.batch)
	clear(p.rows)
	p.reset()
	return err
}

// Close gives up the batch at hand.
func (p *Projector) Close() error { return errors.Join(p.writer.Close(), p.batch.Close()) }

func ulidMs(ms uint64) []byte {
	var id ulid.ULID
	_ = id.SetTime(ms) // a time beyond the year 10889 cannot come out of a ULID
	return id[:6]
}
