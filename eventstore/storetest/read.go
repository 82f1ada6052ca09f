package storetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// ReadAll returns copies of all groups up to the head as it is now, read by a cursor. It
// returns an error where positions are not contiguous from 1, a group is empty or an id
// of a group comes twice.
func ReadAll(ctx context.Context, log eventstore.Reader) ([]eventstore.Group, error) {
	head, err := log.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	c, err := log.Follow(ctx, 0)
	if err != nil {
		return nil, fmt.Errorf("follow: %w", err)
	}
	defer c.Close()
	ids := make(map[ulid.ULID]eventstore.Position)
	groups := make([]eventstore.Group, 0, head)
	for p := eventstore.Position(1); p <= head; p++ {
		g, err := nextGroup(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("next, at position %d of %d: %w", p, head, err)
		}
		if g.Position != p {
			return nil, fmt.Errorf("position %d follows %d", g.Position, p-1)
		}
		if len(g.Events) == 0 {
			return nil, fmt.Errorf("the group at %d is empty", p)
		}
		if before, twice := ids[g.ID]; twice {
			return nil, fmt.Errorf("the groups at %d and %d have the same id %s", before, p, g.ID)
		}
		ids[g.ID] = p
		groups = append(groups, g)
	}
	return groups, nil
}

// Records returns the events of groups with their places.
func Records(groups []eventstore.Group) []eventstore.Record {
	var records []eventstore.Record
	for _, g := range groups {
		for i, e := range g.Events {
			records = append(records, eventstore.Record{Event: e, Position: g.Position, Index: i})
		}
	}
	return records
}

// nextGroup returns a copy of the cursor's next group, however often it is idle before.
func nextGroup(ctx context.Context, c eventstore.Cursor) (eventstore.Group, error) {
	for {
		g, err := c.Next(ctx)
		if errors.Is(err, eventstore.ErrIdle) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return eventstore.Group{}, err
		}
		events := make([]eventstore.Event, len(g.Events))
		for i := range events {
			events[i] = Clone(g.Events[i])
		}
		g.Events = events
		return g, nil
	}
}
