package whatif

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/projections"
)

// Sample says which events to look at: those of one connection, or those behind a
// position or a time.
type Sample struct {
	// Source keeps to the events of one source; "" for all. Connection, if not "", keeps to
	// those that stand on that connection's timeline, and needs Source.
	Source, Connection string
	// From is the first position to look at, Since the time of receipt from which on;
	// zero for the log's beginning.
	From  uint64
	Since time.Time
	// Limit is the most events to look at.
	Limit int
}

// each calls fn for the groups of the sample with the events that are in it, in
// the order of the log. The groups are valid during the call. cut is true where the
// limit left events out.
func (s *Sample) each(ctx context.Context, v *projections.View, log eventstore.Reader, fn func(*eventstore.Group, []int) error) (cut bool, err error) {
	if s.Connection != "" {
		return s.eachOfConnection(ctx, v, log, fn)
	}
	from := max(1, s.From)
	if !s.Since.IsZero() {
		at, err := v.PositionAt(s.Since)
		if err != nil || at == 0 {
			return false, err
		}
		from = max(from, at)
	}
	to := v.Checkpoint().Position
	if from > to {
		return false, nil
	}
	cursor, err := log.Follow(ctx, eventstore.Position(from-1))
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, cursor.Close()) }()
	n := 0
	for at := from - 1; at < to; {
		g, err := cursor.Next(ctx)
		if errors.Is(err, eventstore.ErrIdle) {
			continue
		}
		if err != nil {
			return false, err
		}
		at = uint64(g.Position)
		var of []int
		for i := range g.Events {
			if s.Source != "" && g.Events[i].Source != s.Source || g.Events[i].ReceivedAt.Before(s.Since) {
				continue
			}
			if n == s.Limit {
				cut = true
				break
			}
			n++
			of = append(of, i)
		}
		if len(of) > 0 {
			if err := fn(&g, of); err != nil {
				return false, err
			}
		}
		if cut {
			return true, nil
		}
	}
	return false, nil
}

func (s *Sample) eachOfConnection(ctx context.Context, v *projections.View, log eventstore.Reader, fn func(*eventstore.Group, []int) error) (cut bool, err error) {
	places, cut, err := v.Places(s.Source, s.Connection, s.Limit)
	if err != nil {
		return false, err
	}
	for len(places) > 0 {
		g, err := log.At(ctx, eventstore.Position(places[0].Position))
		if errors.Is(err, eventstore.ErrNotFound) {
			err = fmt.Errorf("%w: the log has no group at position %d any more", eventstore.ErrIntegrity, places[0].Position)
		}
		if err != nil {
			return false, err
		}
		var of []int
		for len(places) > 0 && places[0].Position == uint64(g.Position) {
			if int(places[0].Index) >= len(g.Events) {
				return false, fmt.Errorf("%w: position %d holds %d events, and number %d was read there", eventstore.ErrIntegrity, g.Position, len(g.Events), places[0].Index)
			}
			of = append(of, int(places[0].Index))
			places = places[1:]
		}
		if err := fn(&g, of); err != nil {
			return false, err
		}
	}
	return cut, nil
}
