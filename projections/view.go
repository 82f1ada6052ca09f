package projections

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// ErrNotFound means there is no such connection or event.
var ErrNotFound = errors.New("not found")

// ErrDamaged means that a row or a file of the directory is damaged. The log gives everything back.
var ErrDamaged = kv.ErrDamaged

// View answers questions about one moment: everything it says stands on one
// checkpoint. Safe for concurrent use; the caller closes it.
type View struct {
	kv     *kv.View
	meta   meta
	closed func()
}

// NewView returns a view of the directory's last batch.
func NewView(db *kv.DB) (*View, error) {
	v := db.View()
	m, _, err := loadMeta(v.Reader)
	if err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return &View{kv: v, meta: m}, nil
}

// OnClose has f called when the view is closed, in place of an earlier f.
func (v *View) OnClose(f func()) { v.closed = f }

// Close frees the view.
func (v *View) Close() error {
	err := v.kv.Close()
	if v.closed != nil {
		v.closed()
	}
	return err
}

// Checkpoint returns the position that the view stands on, and the counts up to it.
func (v *View) Checkpoint() Checkpoint { return v.meta.Checkpoint }

// Stats returns what the directory holds.
func (v *View) Stats() Stats { return v.meta.Stats }

// Connection returns the current state of a connection, or ErrNotFound.
func (v *View) Connection(source, id string) (connections.State, error) {
	row, err := v.row(source, id)
	if err != nil {
		return connections.State{}, err
	}
	return row.State(), nil
}

func (v *View) row(source, id string) (connections.Row, error) {
	row, ok, err := connections.Load(v.kv.Reader, source, id)
	if err == nil && !ok {
		err = fmt.Errorf("connection %q of source %q: %w", id, source, ErrNotFound)
	}
	return row, err
}

// Connections calls fn for the states of the connections that f holds, ordered
// by source and id, until it returns false. place is where a list that ends with
// this one goes on (Filter.After). more is true where Limit cut the list short.
func (v *View) Connections(f connections.Filter, fn func(s connections.State, place []byte) bool) (more bool, err error) {
	return connections.Each(v.kv.Reader, f, func(r *connections.Row) bool { return fn(r.State(), r.Place()) })
}

// Span says which part of a timeline to walk.
type Span struct {
	// From and To bound the effective time: From <= t < To. The zero time is no bound.
	From, To time.Time
	// Descending walks from the latest to the earliest.
	Descending bool
	// After is the key behind which to go on, in the direction of the walk; nil for the beginning.
	After *timeline.Key
}

func (s *Span) keys() (from, to timeline.Key) {
	from, to = timeline.MinKey, timeline.MaxKey
	if !s.From.IsZero() {
		from = timeline.Key{Effective: clampNano(s.From)}
	}
	if !s.To.IsZero() {
		to = timeline.Key{Effective: clampNano(s.To)}
	}
	if s.After == nil {
		return from, to
	}
	if s.Descending {
		if s.After.Compare(to) < 0 {
			to = *s.After
		}
	} else if next := s.After.Next(); next.Compare(from) > 0 {
		from = next
	}
	return from, to
}

// clampNano is t in nanoseconds since 1970, or the nearest that can be told.
func clampNano(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// Timeline calls fn for a connection's entries in event-time order until it
// returns false, or returns ErrNotFound. The entry is fn's to keep.
func (v *View) Timeline(source, id string, s Span, fn func(*timeline.Entry) bool) error {
	row, err := v.row(source, id)
	if err != nil {
		return err
	}
	r := timeline.NewReader(v.kv.Reader, timeline.ConnOf(source, id), &row.Spine)
	from, to := s.keys()
	return errors.Join(r.Walk(from, to, s.Descending, fn), r.Close())
}

// Quarantine calls fn for the quarantined events behind a place in the log, in
// the order of the log, until it returns false.
func (v *View) Quarantine(position uint64, index uint32, fn func(Quarantine) bool) error {
	it, err := v.kv.Iter([]byte{prefixQuarantine}, []byte{prefixQuarantine + 1})
	if err != nil {
		return err
	}
	for ok := it.SeekGE(append(quarantineKey(position, index), 0)); ok; ok = it.Next() {
		q, err := decodeQuarantine(it.Key(), it.Value())
		if err != nil {
			return errors.Join(err, it.Close())
		}
		if !fn(q) {
			break
		}
	}
	return it.Close()
}

// Located is where an event stands and what became of it.
type Located struct {
	Record eventstore.Record
	Fate   Fate
	// Source and Connection name where it is placed; of a duplicate, where the event it repeats is placed.
	Source, Connection string
	// Entry is its place on the timeline; of a duplicate, that of the event it repeats.
	Entry *timeline.Entry
	// Quarantine says why, for a quarantined one.
	Quarantine *Quarantine
}

// Event finds an event by its id and reads it from the log. It returns
// ErrNotFound for an event that is not there or not applied yet.
func (v *View) Event(ctx context.Context, log eventstore.Reader, id ulid.ULID) (Located, error) {
	positions, err := v.positionsOf(id.Time())
	if err != nil {
		return Located{}, err
	}
	for _, p := range positions {
		g, err := log.At(ctx, eventstore.Position(p))
		if err != nil {
			return Located{}, err
		}
		for i := range g.Events {
			if g.Events[i].ID == id {
				return v.located(eventstore.Record{Event: g.Events[i], Position: g.Position, Index: i})
			}
		}
	}
	return Located{}, fmt.Errorf("event %s: %w", id, ErrNotFound)
}

// positionsOf returns the positions of the groups that may hold an event of that millisecond.
func (v *View) positionsOf(ms uint64) ([]uint64, error) {
	from := ms - min(ms, v.meta.Checkpoint.WidestMs)
	it, err := v.kv.Iter(receivedKey(from, 0), receivedKey(ms+1, 0))
	if err != nil {
		return nil, err
	}
	var found []uint64
	for ok := it.First(); ok; ok = it.Next() {
		k, last := it.Key(), it.Value()
		if len(k) != 17 || len(last) != 6 {
			return nil, errors.Join(fmt.Errorf("%w: index of times: %w", kv.ErrDamaged, errRow), it.Close())
		}
		var id ulid.ULID
		copy(id[:], last)
		if id.Time() >= ms {
			found = append(found, binary.BigEndian.Uint64(k[9:]))
		}
	}
	return found, it.Close()
}

func (v *View) located(r eventstore.Record) (Located, error) {
	l := Located{Record: r}
	o, err := v.outcome(uint64(r.Position), uint32(r.Index))
	if err != nil {
		return l, err
	}
	l.Fate = o.fate
	switch o.fate {
	case Quarantined:
		key := quarantineKey(uint64(r.Position), uint32(r.Index))
		b, ok, err := v.kv.Get(nil, key)
		if err != nil || !ok {
			return l, errors.Join(err, fmt.Errorf("%w: a quarantined event has no row", kv.ErrDamaged))
		}
		q, err := decodeQuarantine(key, b)
		l.Quarantine = &q
		return l, err
	case Duplicate:
		if o, err = v.outcome(o.position, o.index); err != nil {
			return l, err
		}
	}
	e, ok, err := timeline.LoadEntry(v.kv.Reader, o.conn, o.key)
	if err != nil || !ok {
		return l, errors.Join(err, fmt.Errorf("%w: a placed event is not on its timeline", kv.ErrDamaged))
	}
	l.Entry = &e
	l.Source, l.Connection, _, err = connections.NameOf(v.kv.Reader, o.conn)
	return l, err
}

func (v *View) outcome(position uint64, index uint32) (outcome, error) {
	g, ok, err := loadGroupRow(v.kv.Reader, position)
	if err != nil {
		return outcome{}, err
	}
	if !ok || int(index) >= len(g.outcomes) {
		return outcome{}, fmt.Errorf("%w: position %d has no row for event %d", kv.ErrDamaged, position, index)
	}
	return g.outcomes[index], nil
}
