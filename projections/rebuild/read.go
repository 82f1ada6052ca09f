package rebuild

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/projections"
)

// patience is how long a reader waits before it asks a log again that is out of reach.
const patience = 200 * time.Millisecond

// pipeline is the way of parcels: from the reader to a mapper, and in the order of
// the log to the fates, and back to the reader. There is a fixed number of them, so a slow part stops
// those before it.
type pipeline struct {
	free    chan *parcel
	work    chan *parcel
	ordered chan *parcel
}

func newPipeline(mappers int) *pipeline {
	n := 4*mappers + 4
	p := &pipeline{free: make(chan *parcel, n), work: make(chan *parcel, n), ordered: make(chan *parcel, n)}
	for range n {
		p.free <- newParcel()
	}
	return p
}

// read reads the positions behind after up to to, each once. It closes the pipeline when
// it has read them all, and not when it fails: then ctx ends the others.
func (p *pipeline) read(ctx context.Context, o *Options, meter *meter, after, to uint64) error {
	cursor, err := o.Log.Follow(ctx, eventstore.Position(after))
	for errors.Is(err, eventstore.ErrUnavailable) {
		if err := meter.wait(ctx, err); err != nil {
			return err
		}
		cursor, err = o.Log.Follow(ctx, eventstore.Position(after))
	}
	if err != nil {
		return err
	}
	r := reader{pipeline: p, options: o, meter: meter, cursor: cursor, turn: o.cores.turn(), keeps: keepsHeaders(o), at: after, to: to}
	return errors.Join(r.run(ctx), cursor.Close())
}

type reader struct {
	*pipeline
	options *Options
	meter   *meter
	cursor  eventstore.Cursor
	turn    *turn
	keeps   map[string]bool
	at, to  uint64
}

func (r *reader) run(ctx context.Context) error {
	for ungated := parcelEvents; r.at < r.to; {
		if ungated >= parcelEvents { // parcels are small where the log is slow
			if err := r.options.Gate(ctx); err != nil {
				return err
			}
			ungated = 0
		}
		p, err := receive(ctx, r.free)
		if err != nil {
			return err
		}
		p.reset()
		if err := r.fill(ctx, p); err != nil {
			return err
		}
		ungated += len(p.events)
		r.work <- p // both have room for all there are
		r.ordered <- p
	}
	close(r.work)
	close(r.ordered)
	return nil
}

// fill reads groups into a parcel until it is full or the next would have to be waited for.
func (r *reader) fill(ctx context.Context, p *parcel) error {
	for first := true; r.at < r.to && !p.full(); {
		g, err := r.next(ctx)
		if err != nil {
			return err
		}
		if first { // it may have been waited for, and those that follow are here
			first = false
			r.options.cores.take()
			defer r.options.cores.give()
		}
		p.take(&g, r.keeps)
		r.turn.step(len(g.Events)/2 + 1)
		r.at = uint64(g.Position)
		if r.cursor.Buffered() == 0 {
			return nil
		}
	}
	return nil
}

// next returns the next group, however long the log is out of reach.
func (r *reader) next(ctx context.Context) (eventstore.Group, error) {
	for {
		g, err := r.cursor.Next(ctx)
		switch {
		case err == nil:
			r.meter.moves()
			return g, nil
		case errors.Is(err, eventstore.ErrIdle):
			// All of it was there when the rebuild began.
			head, err := r.options.Log.Head(ctx)
			if err == nil && uint64(head) < r.to {
				return g, fmt.Errorf("%w: the log ends at position %d and reached to %d before: it lost its tail", eventstore.ErrIntegrity, head, r.to)
			}
			if err != nil && !errors.Is(err, eventstore.ErrUnavailable) {
				return g, err
			}
		case errors.Is(err, eventstore.ErrUnavailable):
			if err := r.meter.wait(ctx, err); err != nil {
				return g, err
			}
		default:
			return g, err
		}
	}
}

// keepsHeaders returns the sources whose mapping reads headers: those of others need not be copied.
func keepsHeaders(o *Options) map[string]bool {
	keeps := map[string]bool{}
	for source, d := range o.Definitions {
		keeps[source] = len(d.KeepHeaders()) > 0
	}
	return keeps
}

// observe maps parcels until there are no more.
func (p *pipeline) observe(ctx context.Context, o *Options) error {
	observer, turn := projections.NewObserver(o.Definitions), o.cores.turn()
	for {
		select {
		case parcel, more := <-p.work:
			if !more {
				return nil
			}
			o.cores.take()
			parcel.observe(observer, turn)
			o.cores.give()
			parcel.ready <- struct{}{}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// receive receives from a channel as long as ctx lives.
func receive[T any](ctx context.Context, from <-chan T) (T, error) {
	select {
	case v := <-from:
		return v, nil
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
