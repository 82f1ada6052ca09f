package rebuild

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// scan reads the log behind the generation's checkpoint up to to and takes in
// what stands on the timelines. It returns the generation and the number of chunks.
func scan(ctx context.Context, o *Options, db *kv.DB, gen projections.Generation, to uint64, written *Written, meter *meter) (projections.Generation, int, error) {
	s := scanner{
		options: o, meter: meter, to: to, pipeline: newPipeline(o.Workers), full: make(chan *chunk),
		fates: fates{
			db: db.Reader, gen: gen, turn: o.cores.turn(), latest: map[timeline.Conn]uint32{},
			current: newChunk(o.ChunkEvents, o.ChunkBytes), before: newChunk(o.ChunkEvents, o.ChunkBytes),
		},
	}
	after := gen.Checkpoint.Position
	if after > 0 {
		s.fates.remember(s.expected(), o.FilterBytes)
		if err := s.fates.restore(); err != nil {
			return gen, 0, fmt.Errorf("go on with an unfinished rebuild: %w", err)
		}
	}
	s.fates.before.done <- nil // it is written: there is nothing in it
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		o.cores.join()
		return s.pipeline.read(ctx, o, meter, after, to)
	})
	for range o.Workers {
		group.Go(func() error {
			o.cores.join()
			return s.pipeline.observe(ctx, o)
		})
	}
	group.Go(func() error {
		o.cores.join()
		return s.decide(ctx)
	})
	group.Go(func() error {
		o.cores.join()
		return s.write(ctx, &writer{db: db, cores: o.cores, written: written})
	})
	err := group.Wait()
	return s.fates.gen, s.chunks, err
}

// scanner is a scan under way.
type scanner struct {
	options  *Options
	meter    *meter
	to       uint64
	pipeline *pipeline
	full     chan *chunk // to be written
	chunks   int
	fates    fates
}

// decide takes mapped parcels in the order of the log.
func (s *scanner) decide(ctx context.Context) error {
	defer close(s.full)
	full := func() bool {
		c := s.fates.current
		return len(c.placed) >= s.options.ChunkEvents || c.bytes() >= s.options.ChunkBytes
	}
	for {
		p, err := receive(ctx, s.pipeline.ordered)
		if err != nil {
			return err
		}
		if p == nil {
			break // the reader has come to the end
		}
		if _, err := receive(ctx, p.ready); err != nil {
			return err
		}
		if p.err != nil {
			return p.err
		}
		s.options.cores.take()
		err = s.fates.parcel(p, full, func() error { return s.cut(ctx, true) })
		s.options.cores.give()
		if err != nil {
			return err
		}
		c := &s.fates.gen.Checkpoint
		s.meter.scanned(c.Position, c.Events())
		s.pipeline.free <- p
	}
	c := &s.fates.gen.Checkpoint
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.Position != s.to {
		return fmt.Errorf("%w: read to position %d of %d", ErrIncomplete, c.Position, s.to)
	}
	if err := s.cut(ctx, false); err != nil {
		return err
	}
	err, ctxErr := receive(ctx, s.fates.before.done)
	if ctxErr != nil {
		return ctxErr
	}
	return err
}

// cut hands the chunk to the writer as soon as it has written the one before, and
// begins another in the memory of that. held is whether the caller holds a core.
func (s *scanner) cut(ctx context.Context, held bool) error {
	f := &s.fates
	if f.gen.Checkpoint.Position == s.to {
		f.gen.Unfinished = string(Fold)
	}
	if f.current.empty() {
		return nil
	}
	if f.seen == nil && f.gen.Checkpoint.Position < s.to {
		f.remember(s.expected(), s.options.FilterBytes)
	}
	f.current.generation = f.gen
	f.current.generation.Stats.ByHealth, f.current.generation.Stats.BySource = nil, nil
	if held {
		s.options.cores.give() // the writer needs it
		defer s.options.cores.take()
	}
	err, ctxErr := receive(ctx, f.before.done)
	if err != nil || ctxErr != nil {
		return first(err, ctxErr)
	}
	select {
	case s.full <- f.current:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.chunks++
	f.current, f.before = f.before, f.current
	f.current.reset()
	return nil
}

// expected is the number of events of the whole log if it goes on as it began.
func (s *scanner) expected() uint64 {
	c := &s.fates.gen.Checkpoint
	return uint64(float64(c.Events()) / float64(c.Position) * float64(s.to))
}

// write writes chunks until there are no more.
func (s *scanner) write(ctx context.Context, w *writer) error {
	for {
		c, err := receive(ctx, s.full)
		if err != nil || c == nil {
			return err
		}
		err = w.write(ctx, c)
		c.done <- err
		if err != nil {
			return fmt.Errorf("take in the events up to position %d: %w", c.generation.Checkpoint.Position, err)
		}
	}
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
