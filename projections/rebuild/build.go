package rebuild

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// Build builds the generation in o.Dir from the log, or goes on with it. When it
// returns nil the generation is finished, accounts for every event up to its
// checkpoint, and is on disk; the directory is closed. It returns ErrIncomplete,
// eventstore.ErrIntegrity for a log that is damaged or lost what was read of it,
// kv.ErrDamaged, ErrOther, or ctx's or the gate's error. What was taken in by then is
// gone on with by the next Build.
func Build(ctx context.Context, o Options) (Result, error) {
	o = o.withDefaults()
	db, err := open(&o)
	if err != nil {
		return Result{}, err
	}
	r, err := build(ctx, &o, db)
	return r, errors.Join(err, db.Close())
}

func open(o *Options) (*kv.DB, error) {
	o.KV.Bulk = true
	return kv.Open(o.Dir, o.KV)
}

func build(ctx context.Context, o *Options, db *kv.DB) (Result, error) {
	gen, err := begun(o, db)
	if err != nil {
		return Result{}, err
	}
	if err := projections.CheckTail(ctx, o.Log, gen.Checkpoint); err != nil {
		return Result{}, err
	}
	r, meter := Result{Resumed: gen.Checkpoint.Position}, newMeter(o)
	if gen.Unfinished == string(Scan) {
		to, err := end(ctx, o, gen.Checkpoint.Position)
		if err != nil {
			return r, err
		}
		meter.begin(Scan, gen.Checkpoint.Position, to, gen.Checkpoint.Position, to, gen.Checkpoint.Events())
		if o.Sum && gen.Checkpoint.Position == 0 {
			r.Written = &Written{sums: newRowSums()}
		}
		if gen, r.Chunks, err = scan(ctx, o, db, gen, to, r.Written, meter); err != nil {
			return r, err
		}
	}
	return finish(ctx, o, db, gen, meter, r)
}

// begun returns what the directory says of itself, or what a new one is to say.
func begun(o *Options, db *kv.DB) (projections.Generation, error) {
	gen, ok, err := projections.LoadGeneration(db.Reader)
	if err != nil {
		return gen, err
	}
	name, definitions := filepath.Base(o.Dir), map[string]string{}
	for source, d := range o.Definitions {
		definitions[source] = d.Digest()
	}
	if !ok {
		gen.Name, gen.Definitions, gen.Unfinished = name, definitions, string(Scan)
		gen.Projections = projections.Versions()
		return gen, nil
	}
	switch {
	case gen.Name != name:
		err = fmt.Errorf("%w: %s says it is %q", ErrOther, o.Dir, gen.Name)
	case gen.Format != projections.Format:
		err = fmt.Errorf("%w: %s has format %d, and this program writes %d", ErrOther, o.Dir, gen.Format, projections.Format)
	case !maps.Equal(gen.Definitions, definitions):
		err = fmt.Errorf("%w: %s was begun with other definitions", ErrOther, o.Dir)
	default:
		err = otherVersions(o.Dir, projections.OtherVersions(gen.Projections))
	}
	return gen, err
}

// otherVersions is an ErrOther where a directory has other versions of some projections.
func otherVersions(dir string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s was begun by another version of %s", ErrOther, dir, strings.Join(names, ", "))
}

// end returns the last position to read.
func end(ctx context.Context, o *Options, from uint64) (uint64, error) {
	head, err := o.Log.Head(ctx)
	if err != nil {
		return 0, err
	}
	to := uint64(o.To)
	if to == 0 {
		to = uint64(head)
	}
	switch {
	case to > uint64(head):
		return 0, fmt.Errorf("build up to position %d: the log ends at %d", to, head)
	case to < from:
		return 0, fmt.Errorf("%w: build up to position %d: it has read up to %d", ErrOther, to, from)
	}
	return to, nil
}

// finish folds the timelines, counts, and only if every event is accounted for says
// that the generation is finished.
func finish(ctx context.Context, o *Options, db *kv.DB, gen projections.Generation, meter *meter, r Result) (Result, error) {
	at := gen.Checkpoint.Position
	found, err := newCounted(), error(nil)
	if gen.Unfinished != "" {
		meter.begin(Fold, at, at, 0, gen.Checkpoint.Placed, 0)
		if found, err = fold(ctx, o, db, r.Written, meter); err != nil {
			return r, err
		}
		gen.Stats.Connections, gen.Stats.ByHealth, gen.Stats.BySource = found.Connections, found.ByHealth, found.BySource
	} else if found, err = countFinished(db.Reader); err != nil {
		return r, err
	}
	meter.begin(Check, at, at, 0, at, 0)
	if err := count(ctx, o, db.Reader, at, &found, meter); err != nil {
		return r, err
	}
	if err := found.account(&gen.Checkpoint); err != nil {
		return r, err
	}
	if gen.Unfinished != "" {
		gen.Unfinished = ""
		if err := seal(ctx, db, &gen); err != nil {
			return r, err
		}
	}
	c := &gen.Checkpoint
	r.Generation, r.Positions, r.Connections = gen, c.Position, found.Connections
	r.Events, r.Placed, r.Duplicates, r.Quarantined = c.Events(), c.Placed, c.Duplicates, c.Quarantined
	if r.Written != nil {
		r.Written.position = c.Position
	}
	r.Took = meter.finish()
	return r, nil
}

// count counts what is not on timelines.
func count(ctx context.Context, o *Options, r kv.Reader, last uint64, found *counted, meter *meter) error {
	parts := groupParts(last, o.Workers)
	counts := make([]counted, len(parts)+1)
	group, ctx := errgroup.WithContext(ctx)
	for i, part := range parts {
		group.Go(func() (err error) {
			o.cores.join()
			o.cores.take()
			defer o.cores.give()
			counts[i], err = countGroups(ctx, r, part[0], part[1], meter, o.cores.turn())
			return err
		})
	}
	group.Go(func() (err error) {
		o.cores.join()
		o.cores.take()
		defer o.cores.give()
		counts[len(parts)], err = countQuarantine(r)
		return err
	})
	err := group.Wait()
	for i := range counts {
		found.add(&counts[i])
	}
	return err
}

// seal says that the generation is finished, and takes away what only its making needed.
func seal(ctx context.Context, db *kv.DB, gen *projections.Generation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	key, value, err := gen.Row()
	if err != nil {
		return err
	}
	b := db.Batch()
	for r := range ranges {
		if err := b.Delete(progressKey(byte(r))); err != nil {
			return errors.Join(err, b.Close())
		}
	}
	if err := b.Set(key, value); err != nil {
		return errors.Join(err, b.Close())
	}
	return errors.Join(b.Commit(), b.Close())
}
