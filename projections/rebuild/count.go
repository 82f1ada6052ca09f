package rebuild

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// counted is what was found in the rows of a stretch of a generation.
type counted struct {
	// Of timelines.
	Connections uint64            `json:"connections"`
	Entries     uint64            `json:"entries"`
	Deliveries  uint64            `json:"deliveries"`
	ByHealth    map[string]uint64 `json:"by_health"`
	BySource    map[string]uint64 `json:"by_source"`
	// Of groups: the positions, and what became of their events.
	positions uint64
	fates     projections.Checkpoint
	// Of the quarantine.
	quarantined uint64
}

func newCounted() counted {
	return counted{ByHealth: map[string]uint64{}, BySource: map[string]uint64{}}
}

func (c *counted) add(o *counted) {
	c.Connections += o.Connections
	c.Entries += o.Entries
	c.Deliveries += o.Deliveries
	for k, n := range o.ByHealth {
		c.ByHealth[k] += n
	}
	for k, n := range o.BySource {
		c.BySource[k] += n
	}
	c.positions += o.positions
	c.fates.Placed += o.fates.Placed
	c.fates.Duplicates += o.fates.Duplicates
	c.fates.Quarantined += o.fates.Quarantined
	c.quarantined += o.quarantined
}

// progressKey is the key of the row that says what was found in a range of
// connections. It begins like the generation's own row, and goes when that is finished.
func progressKey(r byte) []byte { return []byte{projections.PrefixMeta, 'f', r} }

func (c *counted) row() ([]byte, error) { return json.Marshal(c) }

// foldedBefore reads what an earlier run found, and in which ranges.
func foldedBefore(r kv.Reader, all *counted) (done [ranges]bool, err error) {
	it, err := r.Iter(progressKey(0), []byte{projections.PrefixMeta + 1})
	if err != nil {
		return done, err
	}
	for ok := it.First(); ok; ok = it.Next() {
		c := newCounted()
		if len(it.Key()) != 3 {
			return done, errors.Join(fmt.Errorf("%w: progress of a fold", kv.ErrDamaged), it.Close())
		}
		if err := json.Unmarshal(it.Value(), &c); err != nil {
			return done, errors.Join(fmt.Errorf("%w: progress of a fold: %w", kv.ErrDamaged, err), it.Close())
		}
		done[it.Key()[2]] = true
		all.add(&c)
	}
	return done, it.Close()
}

// groupParts cuts the positions up to last into n parts of about the same size.
func groupParts(last uint64, n int) (parts [][2]uint64) {
	size := last/uint64(n) + 1
	for from := uint64(1); from <= last; from += size {
		parts = append(parts, [2]uint64{from, min(last, from+size-1)})
	}
	return parts
}

// countGroups reads the rows of groups from position from to to and counts what
// they say. There has to be one for each.
func countGroups(ctx context.Context, r kv.Reader, from, to uint64, m *meter, t *turn) (counted, error) {
	var c counted
	it, err := r.Iter(projections.GroupKey(nil, from), projections.GroupKey(nil, to+1))
	if err != nil {
		return c, err
	}
	for ok := it.First(); ok; ok = it.Next() {
		t.step(1)
		position, err := projections.CountFates(it.Key(), it.Value(), &c.fates)
		if err == nil && position != from+c.positions {
			err = fmt.Errorf("%w: there is no row for position %d", ErrIncomplete, from+c.positions)
		}
		if c.positions++; err == nil && c.positions&0xfff == 0 {
			m.counted(0x1000)
			err = ctx.Err()
		}
		if err != nil {
			return c, errors.Join(err, it.Close())
		}
	}
	if err := it.Close(); err != nil {
		return c, err
	}
	if from+c.positions != to+1 {
		return c, fmt.Errorf("%w: there is no row for position %d", ErrIncomplete, from+c.positions)
	}
	m.counted(c.positions & 0xfff)
	return c, nil
}

// countFinished counts the connections of a finished generation by their rows.
func countFinished(r kv.Reader) (counted, error) {
	c := newCounted()
	err := each(r, connections.PrefixRow, func(key, value []byte) error {
		var row connections.Row
		if err := row.Decode(key, value); err != nil {
			return err
		}
		c.Connections++
		c.Entries += row.Sum.Events
		c.Deliveries += row.Sum.Duplicates
		c.ByHealth[row.Health().String()]++
		c.BySource[row.Source]++
		return nil
	})
	return c, err
}

// countQuarantine counts the quarantined events.
func countQuarantine(r kv.Reader) (counted, error) {
	var c counted
	err := each(r, projections.PrefixQuarantine, func(_, _ []byte) error {
		c.quarantined++
		return nil
	})
	return c, err
}

// account holds what was found in the rows to what was counted as the events were read.
func (c *counted) account(read *projections.Checkpoint) error {
	for _, pair := range []struct {
		what        string
		found, read uint64
	}{
		{"positions in the rows of groups", c.positions, read.Position},
		{"placed events in the rows of groups", c.fates.Placed, read.Placed},
		{"duplicates in the rows of groups", c.fates.Duplicates, read.Duplicates},
		{"quarantined events in the rows of groups", c.fates.Quarantined, read.Quarantined},
		{"entries on timelines", c.Entries, read.Placed},
		{"further deliveries on timelines", c.Deliveries, read.Duplicates},
		{"events in the quarantine", c.quarantined, read.Quarantined},
	} {
		if pair.found != pair.read {
			return fmt.Errorf("%w: %d %s, and %d were read", ErrIncomplete, pair.found, pair.what, pair.read)
		}
	}
	byHealth, bySource := uint64(0), uint64(0)
	for _, n := range c.ByHealth {
		byHealth += n
	}
	for _, n := range c.BySource {
		bySource += n
	}
	if byHealth != c.Connections || bySource != c.Connections {
		return fmt.Errorf("%w: %d connections, %d by health and %d by source", ErrIncomplete, c.Connections, byHealth, bySource)
	}
	return nil
}
