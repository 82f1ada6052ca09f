package whatif

import (
	"errors"
	"iter"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// fold makes the states of a sample's connections, with the projector that
// makes those that serve, in memory.
type fold struct {
	db        *kv.DB
	projector *projections.Projector
	group     eventstore.Group
	// positions holds where each group stands in the log: here they follow each other without a gap.
	positions []uint64
}

func newFold(definitions map[string]*providers.Definition) (*fold, error) {
	db, err := kv.OpenMemory(kv.Options{CacheBytes: 4 << 20, MemTableBytes: 4 << 20})
	if err != nil {
		return nil, err
	}
	p, err := projections.NewProjector(db, definitions)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &fold{db: db, projector: p}, nil
}

func (f *fold) add(g *eventstore.Group, of []int) error {
	f.positions = append(f.positions, uint64(g.Position))
	f.group = eventstore.Group{Position: eventstore.Position(len(f.positions)), ID: g.ID, Events: f.group.Events[:0]}
	for _, i := range of {
		f.group.Events = append(f.group.Events, g.Events[i])
	}
	if err := f.projector.Add(&f.group); err != nil {
		return err
	}
	if f.projector.Pending() < projections.DefaultBatch {
		return nil
	}
	return f.projector.Commit()
}

// states are the states, ordered by source and connection; an error is the last.
func (f *fold) states() iter.Seq2[*connections.State, error] {
	return func(yield func(*connections.State, error) bool) {
		if err := f.projector.Commit(); err != nil {
			yield(nil, err)
			return
		}
		v, err := projections.NewView(f.db)
		if err != nil {
			yield(nil, err)
			return
		}
		more := true
		_, err = v.Connections(connections.Filter{}, func(s connections.State, _ []byte) bool {
			if s.Position > 0 && s.Position <= uint64(len(f.positions)) {
				s.Position = f.positions[s.Position-1]
			}
			more = yield(&s, nil)
			return more
		})
		if err = errors.Join(err, v.Close()); err != nil && more {
			yield(nil, err)
		}
	}
}

func (f *fold) close() error { return errors.Join(f.projector.Close(), f.db.Close()) }
