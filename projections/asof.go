package projections

import (
	"errors"
	"fmt"
	"time"

	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// When chooses an instant on either of the two clocks. The zero When is now.
type When struct {
	// ValidAt, if not zero, asks what was true then: events of a later effective time are left out.
	ValidAt time.Time
	// KnownAt, if not zero, asks what we had been told by then: events received later are left out.
	KnownAt time.Time
}

// IsNow reports whether neither clock is set back.
func (w When) IsNow() bool { return w.ValidAt.IsZero() && w.KnownAt.IsZero() }

// end is the key behind the last event that is valid then.
func (w When) end() timeline.Key {
	if w.ValidAt.IsZero() {
		return timeline.MaxKey
	}
	ns := clampNano(w.ValidAt)
	if ns == timeline.MaxKey.Effective {
		return timeline.MaxKey
	}
	return timeline.Key{Effective: ns + 1}
}

func (w When) known() int64 {
	if w.KnownAt.IsZero() {
		return timeline.Always
	}
	return clampNano(w.KnownAt)
}

// ConnectionAt returns the state of a connection as of an instant, or
// ErrNotFound where no event of it was valid and known then.
func (v *View) ConnectionAt(source, id string, w When) (connections.State, error) {
	row, err := v.row(source, id)
	if err != nil || w.IsNow() {
		return row.State(), err
	}
	s, ok, err := v.stateAt(&row, w)
	if err == nil && !ok {
		err = fmt.Errorf("connection %q of source %q, as of then: %w", id, source, ErrNotFound)
	}
	return s, err
}

func (v *View) stateAt(row *connections.Row, w When) (s connections.State, ok bool, err error) {
	r := v.reader(row)
	defer func() { err = errors.Join(err, r.Close()) }()
	sum, err := r.Range(timeline.MinKey, w.end(), w.known())
	if err != nil || sum.Events == 0 {
		return s, false, err
	}
	var none timeline.Summary
	var by connections.Setters
	if err := by.Follow(&none.Facets, &sum.Facets, func(k timeline.Key) (*timeline.Entry, error) { return r.MustEntry(k) }); err != nil {
		return s, false, err
	}
	s = connections.StateOf(row.Source, row.ID, &sum, &by)
	s.AsOf = v.AsOf(w)
	return s, true, nil
}

// AsOf names an instant and what the view stands on, for an answer about it; nil for now.
func (v *View) AsOf(w When) *connections.AsOf {
	if w.IsNow() {
		return nil
	}
	a := &connections.AsOf{Checkpoint: v.meta.Checkpoint.Position}
	if !w.ValidAt.IsZero() {
		t := w.ValidAt.UTC()
		a.ValidAt = &t
	}
	if !w.KnownAt.IsZero() {
		t := w.KnownAt.UTC()
		a.KnownAt = &t
	}
	return a
}

func (v *View) reader(row *connections.Row) *timeline.Reader {
	return timeline.NewReader(v.kv.Reader, timeline.ConnOf(row.Source, row.ID), &row.Spine)
}

// ConnectionsAt calls fn for the connections of a filter's source and prefix, as
// of an instant, ordered by source and id, until fn returns false. ok is false, and the state empty, for
// a connection of which nothing was valid and known then. Each is computed from its timeline, so which
// healths count, and how many connections to look at, is fn's to say: f.Healths and f.Limit do not count.
func (v *View) ConnectionsAt(f connections.Filter, w When, fn func(s connections.State, ok bool, place []byte) bool) error {
	f.Healths, f.Limit = nil, 0
	var failed error
	_, err := connections.Each(v.kv.Reader, f, func(row *connections.Row) bool {
		s, ok, err := v.stateAt(row, w)
		if err != nil {
			failed = err
			return false
		}
		return fn(s, ok, row.Place())
	})
	return errors.Join(err, failed)
}

// TimelineAt is Timeline as of an instant. Entries that were not valid then are
// left out. For one that was not known then fn is called with known false, so that it can bound
// what is looked at; of the others, deliveries that were not known then are not counted.
func (v *View) TimelineAt(source, id string, s Span, w When, fn func(e *timeline.Entry, known bool) bool) error {
	row, err := v.row(source, id)
	if err != nil {
		return err
	}
	known, end := w.known(), w.end()
	r, deliveries := v.reader(&row), v.reader(&row)
	from, to := s.keys()
	if end.Compare(to) < 0 {
		to = end
	}
	var failed error
	err = r.Walk(from, to, s.Descending, func(e *timeline.Entry) bool {
		if e.ReceivedAt > known {
			return fn(e, false)
		}
		if e.Duplicates > 0 && e.LastReceivedAt > known {
			if failed = deliveries.KnownDeliveries(e, known); failed != nil {
				return false
			}
		}
		return fn(e, true)
	})
	return errors.Join(err, failed, r.Close(), deliveries.Close())
}
