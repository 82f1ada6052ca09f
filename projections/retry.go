package projections

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

const (
	// retryStep is how many quarantined events one step looks at.
	retryStep = 500
	// longestRetried is the longest timeline that a quarantined event is put on: the
	// order of arrival of all its events is looked through for that.
	longestRetried = 200_000
	// toldLeft bounds Retried.Left.
	toldLeft = 100
)

// Retried says what became of the quarantined events that were tried again.
type Retried struct {
	Tried uint64 `json:"tried" doc:"Events that were in the quarantine"`
	// Placed and Duplicates have left the quarantine: exactly as a rebuild would have it.
	Placed     uint64 `json:"placed" doc:"Those that stand on their timelines now"`
	Duplicates uint64 `json:"duplicates" doc:"Those that turned out to repeat another event"`
	// Kept are those that the definitions cannot place still.
	Kept uint64 `json:"kept" doc:"Those that the definitions cannot place still"`
	// NeedRebuild are those that can be placed, but not here as a rebuild would do it.
	NeedRebuild uint64 `json:"need_rebuild" doc:"Those that only a rebuild can place: they stay in the quarantine"`
	Left        []Left `json:"left" nullable:"false" doc:"The first of those that need a rebuild, at most 100"`
	// Outdated names sources whose earlier events were placed by another definition.
	Outdated []string `json:"outdated,omitempty" doc:"Sources whose earlier events were read by another definition: only a rebuild reads them by the one of now"`
}

// Left is a quarantined event that only a rebuild can place.
type Left struct {
	Event    string `json:"event"`
	Source   string `json:"source"`
	Position uint64 `json:"position"`
	Index    uint32 `json:"index"`
	Reason   string `json:"reason"`
}

// Retry places quarantined events that the definitions can place by now, in
// steps between which other events are applied. What it places leaves the rows that a
// rebuild would leave, byte for byte; what cannot be had like that stays where it is and is named.
type Retry struct {
	Result Retried

	log      eventstore.Reader
	position uint64 // of the last event that was looked at
	index    uint32
	began    bool
	// left are delivery ids of which an earlier delivery was left: who was first is not settled here.
	left map[[16]byte]struct{}
}

// NewRetry returns a retry of all that is in the quarantine.
func NewRetry(log eventstore.Reader) *Retry {
	return &Retry{log: log, left: map[[16]byte]struct{}{}, Result: Retried{Left: []Left{}}}
}

// Step looks at the next quarantined events of the projector's directory and
// applies what comes of it as one batch. more is false behind the last. The projector must not be
// in use. After an error the directory is as before the step.
func (r *Retry) Step(ctx context.Context, p *Projector) (more bool, err error) {
	if err := p.Commit(); err != nil {
		return false, err
	}
	due, err := r.due(p)
	if err != nil || len(due) == 0 {
		return false, err
	}
	s := retryBatch{Retry: r, p: p, before: r.Result, rows: map[uint64]groupRow{}, late: map[timeline.Conn]*touched{}}
	if err := s.run(ctx, due); err != nil {
		r.Result = s.before
		return false, errors.Join(err, p.abandon())
	}
	last := due[len(due)-1]
	r.position, r.index, r.began = last.Position, last.Index, true
	r.Result.Outdated = p.Outdated()
	return len(due) == retryStep, nil
}

// due returns the next quarantined events, in the order of the log.
func (r *Retry) due(p *Projector) ([]Quarantine, error) {
	from := []byte{prefixQuarantine}
	if r.began {
		from = append(quarantineKey(r.position, r.index), 0)
	}
	it, err := p.db.Iter(from, []byte{prefixQuarantine + 1})
	if err != nil {
		return nil, err
	}
	var due []Quarantine
	for ok := it.First(); ok && len(due) < retryStep; ok = it.Next() {
		q, err := decodeQuarantine(it.Key(), it.Value())
		if err != nil {
			return nil, errors.Join(err, it.Close())
		}
		due = append(due, q)
	}
	return due, it.Close()
}

// retryBatch is one step under way.
type retryBatch struct {
	*Retry
	p      *Projector
	before Retried
	group  eventstore.Group
	rows   map[uint64]groupRow        // of groups, with what changes in them
	late   map[timeline.Conn]*touched // connections that events were put on
}

func (s *retryBatch) run(ctx context.Context, due []Quarantine) error {
	for i := range due {
		q := &due[i]
		e, err := s.event(ctx, q)
		if err != nil {
			return err
		}
		if err := s.retry(e, q); err != nil {
			return fmt.Errorf("event %s at position %d: %w", q.Event, q.Position, err)
		}
	}
	for _, t := range s.late {
		if err := s.p.relate(t); err != nil {
			return fmt.Errorf("connection %q of source %s: %w", t.row.ID, t.row.Source, err)
		}
	}
	for position, row := range s.rows {
		if err := s.p.batch.Set(groupKey(position), row.append(nil)); err != nil {
			return err
		}
	}
	s.p.events = len(due)
	return s.p.Commit()
}

// event reads a quarantined event from the log.
func (s *retryBatch) event(ctx context.Context, q *Quarantine) (*eventstore.Event, error) {
	if uint64(s.group.Position) != q.Position {
		g, err := s.log.At(ctx, eventstore.Position(q.Position))
		if errors.Is(err, eventstore.ErrNotFound) {
			err = fmt.Errorf("%w: the log has no group at position %d any more", eventstore.ErrIntegrity, q.Position)
		}
		if err != nil {
			return nil, err
		}
		s.group = g
	}
	if int(q.Index) >= len(s.group.Events) || s.group.Events[q.Index].ID.String() != q.Event {
		return nil, fmt.Errorf("%w: position %d does not hold event %s any more", eventstore.ErrIntegrity, q.Position, q.Event)
	}
	return &s.group.Events[q.Index], nil
}

// retry decides one event's fate anew.
func (s *retryBatch) retry(e *eventstore.Event, q *Quarantine) error {
	p := s.p
	s.Result.Tried++
	obs, bad, err := p.observe(e)
	if err != nil {
		return err
	}
	if bad != nil {
		s.Result.Kept++
		if bad.Code == q.Code && bad.Reason == q.Reason {
			return nil
		}
		return putQuarantined(p.batch, q.Position, q.Index, bad)
	}
	row, err := s.groupRow(q)
	if err != nil {
		return err
	}
	me, hash := delivered{position: q.Position, index: q.Index, bodySum: xxhash.Sum64(e.Body)}, deliveryHash(e.Source, obs.DeliveryID)
	if obs.DeliveryID != "" {
		first, again, err := p.firstDelivery(hash)
		if err != nil {
			return err
		}
		if _, open := s.left[hash]; open {
			s.leave(q, &hash, "an earlier delivery under its id needs a rebuild")
			return nil
		}
		if again && (first.position > q.Position || first.position == q.Position && first.index > q.Index) {
			s.leave(q, &hash, "a later delivery under its id was placed in the meantime, which has to become its duplicate")
			return nil
		}
		if again {
			o, err := p.repeat(e, first, me, row.outcomes)
			if err != nil {
				return err
			}
			s.Result.Duplicates++
			return s.leaves(q, row, o)
		}
	}
	n, err := p.eventsOf(e.Source, obs.Connection)
	if err != nil {
		return err
	}
	if n >= longestRetried {
		s.leave(q, &hash, fmt.Sprintf("its connection has %d events, and here it is put on timelines of at most %d", n, longestRetried))
		return nil
	}
	if obs.DeliveryID != "" {
		p.ids[hash] = me
		key := append(append(make([]byte, 0, 17), prefixDelivered), hash[:]...)
		if err := p.batch.Set(key, me.append(nil)); err != nil {
			return err
		}
	}
	return s.place(e, &obs, q, row)
}

func (s *retryBatch) place(e *eventstore.Event, obs *providers.Observation, q *Quarantine, row *groupRow) error {
	p := s.p
	t, err := p.touch(e.Source, obs.Connection)
	if err != nil {
		return err
	}
	entry := new(timeline.Entry)
	EntryOf(entry, e, obs, q.Position, q.Index)
	t.changes[entry.Key] = entry
	s.late[t.conn] = t
	p.next.Checkpoint.Placed++
	s.Result.Placed++
	return s.leaves(q, row, outcome{fate: Placed, conn: t.conn, key: entry.Key})
}

// groupRow is the row of the event's group, as this step changes it.
func (s *retryBatch) groupRow(q *Quarantine) (*groupRow, error) {
	row, ok := s.rows[q.Position]
	if !ok {
		var err error
		if row, ok, err = loadGroupRow(s.p.db.Reader, q.Position); err != nil {
			return nil, err
		}
	}
	if !ok || int(q.Index) >= len(row.outcomes) || row.outcomes[q.Index].fate != Quarantined {
		return nil, fmt.Errorf("%w: the row of its group does not say that it is in the quarantine", kv.ErrDamaged)
	}
	return &row, nil
}

// leaves lets an event leave the quarantine.
func (s *retryBatch) leaves(q *Quarantine, row *groupRow, o outcome) error {
	row.outcomes[q.Index] = o
	s.rows[q.Position], s.p.groups[q.Position] = *row, *row
	s.p.next.Checkpoint.Quarantined--
	s.p.next.Stats.Quarantine--
	return s.p.batch.Delete(quarantineKey(q.Position, q.Index))
}

// leave leaves an event to a rebuild, and with it all later ones under its id.
func (s *retryBatch) leave(q *Quarantine, hash *[16]byte, reason string) {
	s.left[*hash] = struct{}{}
	s.Result.NeedRebuild++
	if len(s.Result.Left) < toldLeft {
		s.Result.Left = append(s.Result.Left, Left{Event: q.Event, Source: q.Source, Position: q.Position, Index: q.Index, Reason: reason})
	}
}

// eventsOf is how many events a connection has, those of the batch at hand included.
func (p *Projector) eventsOf(source, id string) (int, error) {
	conn := timeline.ConnOf(source, id)
	if t := p.touched[conn]; t != nil {
		return int(t.row.Sum.Events) + len(t.changes), nil
	}
	if row := p.rows[conn]; row != nil {
		return int(row.Sum.Events), nil
	}
	row, _, err := connections.Load(p.db.Reader, source, id)
	return int(row.Sum.Events), err
}

// arrival is what decides whether an event is late.
type arrival struct {
	key  timeline.Key
	late bool
}

// relate says anew which of a connection's events came late: those that the batch at
// hand puts in between may have come before events of an earlier time.
func (p *Projector) relate(t *touched) (err error) {
	var all []arrival
	r := timeline.NewReader(p.db.Reader, t.conn, &t.row.Spine)
	defer func() { err = errors.Join(err, r.Close()) }()
	err = r.Walk(timeline.MinKey, timeline.MaxKey, false, func(e *timeline.Entry) bool {
		if t.changes[e.Key] == nil {
			all = append(all, arrival{e.Key, e.Late})
		}
		return true
	})
	if err != nil {
		return err
	}
	for _, e := range t.changes {
		all = append(all, arrival{e.Key, e.Late})
	}
	slices.SortFunc(all, func(a, b arrival) int {
		return cmp.Or(cmp.Compare(a.key.Position, b.key.Position), cmp.Compare(a.key.Index, b.key.Index))
	})
	latest := int64(math.MinInt64)
	for _, a := range all {
		late := a.key.Effective < latest
		latest = max(latest, a.key.Effective)
		if late == a.late {
			continue
		}
		e := t.changes[a.key]
		if e == nil {
			loaded, ok, err := timeline.LoadEntry(p.db.Reader, t.conn, a.key)
			if err == nil && !ok {
				err = fmt.Errorf("%w: an event that was just read is not on the timeline", kv.ErrDamaged)
			}
			if err != nil {
				return err
			}
			e = &loaded
			t.changes[a.key] = e
		}
		e.Late = late
	}
	return nil
}
