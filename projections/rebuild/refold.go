package rebuild

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// Refold makes a generation in o.Dir from the timelines of another, without
// reading the log: it repairs what a bug in the fold did, not what one in a mapping did. It starts from
// a copy of from that shares its files, as of the batch applied last; from may be in use. For the rest it is as
// Build: it goes on with what an earlier Refold began, and accounts for every
// event. The definitions are those of from, and so is the version of what is no fold.
func Refold(ctx context.Context, from *kv.DB, o Options) (Result, error) {
	o = o.withDefaults()
	source, ok, err := projections.LoadGeneration(from.Reader)
	if err != nil {
		return Result{}, err
	}
	if !ok || source.Unfinished != "" {
		return Result{}, fmt.Errorf("refold: %w", projections.ErrUnfinished)
	}
	there, err := kv.Exists(o.Dir, o.KV)
	if err == nil && !there {
		err = from.CopyTo(o.Dir)
	}
	if err != nil {
		return Result{}, err
	}
	db, err := open(&o)
	if err != nil {
		return Result{}, err
	}
	r, err := refold(ctx, &o, db, source.Name)
	return r, errors.Join(err, db.Close())
}

// refold folds a copy of the generation of that name.
func refold(ctx context.Context, o *Options, db *kv.DB, source string) (Result, error) {
	gen, ok, err := projections.LoadGeneration(db.Reader)
	if err != nil {
		return Result{}, err
	}
	name := filepath.Base(o.Dir)
	switch {
	case !ok, gen.Name != name && gen.Name != source, gen.Unfinished == string(Scan):
		return Result{}, fmt.Errorf("%w: %s says it is %q", ErrOther, o.Dir, gen.Name)
	case gen.Format != projections.Format:
		return Result{}, fmt.Errorf("%w: %s has format %d, and this program writes %d", ErrOther, o.Dir, gen.Format, projections.Format)
	case gen.Name != name:
		gen.Name, gen.Unfinished = name, string(Fold)
		gen.Projections = projections.Refolded(gen.Projections)
		if err := mark(ctx, db, &gen); err != nil {
			return Result{}, err
		}
	default:
		if err := otherVersions(o.Dir, projections.OtherFolds(gen.Projections)); err != nil {
			return Result{}, err
		}
	}
	if gen.Unfinished != "" {
		if err := clearFolded(ctx, db); err != nil {
			return Result{}, fmt.Errorf("refold: %w", err)
		}
	}
	return finish(ctx, o, db, gen, newMeter(o), Result{})
}

// mark writes the generation's row about itself. It is on disk when mark returns.
func mark(ctx context.Context, db *kv.DB, gen *projections.Generation) error {
	key, value, err := gen.Row()
	if err != nil {
		return err
	}
	t := newTables(db, nil, nil)
	t.add(true, func(to *table) error { return to.Set(key, value) })
	return t.takeIn(ctx)
}

// clearFolded takes out all that a fold makes, unless the fold has begun to make it.
func clearFolded(ctx context.Context, db *kv.DB) error {
	found := newCounted()
	begun, err := foldedBefore(db.Reader, &found)
	if err != nil || begun != ([ranges]bool{}) {
		return err
	}
	for _, prefix := range []byte{timeline.PrefixNode, connections.PrefixRow, connections.PrefixHealth} {
		if err := db.Excise(ctx, []byte{prefix}, []byte{prefix + 1}); err != nil {
			return err
		}
	}
	return nil
}
