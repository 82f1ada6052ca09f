package rebuild

import (
	"context"
	"errors"
	"fmt"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// Build builds the generation in o.Dir from the log, or goes on with it. When it
// returns nil the generation is finished, accounts for every event up to its
// checkpoint, and is on disk; the directory is closed. It returns ErrIncomplete,
// eventstore.ErrIntegrity for a log that is damaged or lost what was read of it,
// kv.ErrDamaged, ErrOther, or ctx's or the gate's error: what was taken in by then is gone on
// with by the next Build.
func Build(ctx context.Context, o Options) (Result, error) {
	o = o.withDefaults()
	db, err := kv.Open(o.Dir, o.KV)
	if err != nil {
		return Result{}, err
	}
	r, err := build(ctx, o, db)
	return r, errors.Join(err, db.Close())
}

func build(ctx context.Context, o Options, db *kv.DB) (Result, error) {
	p, err := projections.NewProjector(db, o.Definitions)
	if err != nil {
		return Result{}, err
	}
	defer p.Close()
	to := o.To
	if to == 0 {
		if to, err = o.Log.Head(ctx); err != nil {
			return Result{}, err
		}
	}
	r := Result{Resumed: p.Checkpoint().Position}
	if err := projections.CheckTail(ctx, o.Log, p.Checkpoint()); err != nil {
		return r, err
	}
	cursor, err := o.Log.Follow(ctx, eventstore.Position(r.Resumed))
	if err != nil {
		return r, err
	}
	defer cursor.Close()
	for at := eventstore.Position(r.Resumed); at < to; at++ {
		g, err := cursor.Next(ctx)
		if err != nil {
			return r, err
		}
		if err := p.Add(&g); err != nil {
			return r, err
		}
		if p.Pending() >= 10_000 || g.Position == to {
			if err := p.Commit(); err != nil {
				return r, err
			}
			c := p.Checkpoint()
			o.Progress(Progress{Phase: Scan, Position: c.Position, To: uint64(to), Done: c.Position, Total: uint64(to), Events: c.Events()})
			if err := o.Gate(ctx); err != nil {
				return r, err
			}
		}
	}
	if r.Generation, _, err = projections.LoadGeneration(db.Reader); err != nil {
		return r, err
	}
	c := r.Generation.Checkpoint
	if c.Position != uint64(to) {
		return r, fmt.Errorf("%w: it ends at position %d of %d", ErrIncomplete, c.Position, to)
	}
	r.Events, r.Placed, r.Duplicates, r.Quarantined, r.Positions = c.Events(), c.Placed, c.Duplicates, c.Quarantined, c.Position
	r.Connections = r.Generation.Stats.Connections
	return r, nil
}
