package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/tidemark-dev/tidemark/api"
	"github.com/tidemark-dev/tidemark/eventstore"
)

// gate stands before the log and refuses events once the log is known to be
// damaged: to store on behind a lost tail would give the places of lost events to
// others, and hide the loss. Senders get a 503 and send again when it is mended.
// It also counts what passes through and is not stored yet.
type gate struct {
	log eventstore.Appender
	// failing says why the projection does not follow the log, nil while it does.
	failing func() error
	// cause is the damage that was found first. It stays until the next start: a
	// generation that takes over says nothing for a moment.
	cause atomic.Pointer[error]

	events, bytes atomic.Int64
}

var errDamagedLog = errors.New("the log is damaged, so nothing is added to it")

// shut refuses events from now on.
func (g *gate) shut(cause error) { g.cause.Store(&cause) }

// closed returns why events are refused, nil while they are not.
func (g *gate) closed() error {
	first := g.cause.Load()
	if first == nil {
		cause := g.failing()
		if !errors.Is(cause, eventstore.ErrIntegrity) {
			return nil
		}
		first = &cause
		g.cause.CompareAndSwap(nil, first)
	}
	return fmt.Errorf("%w: %w: %w", eventstore.ErrUnavailable, errDamagedLog, *first)
}

// Append implements eventstore.Appender.
func (g *gate) Append(ctx context.Context, e eventstore.Event) (eventstore.Receipt, error) {
	if err := g.closed(); err != nil {
		return eventstore.Receipt{}, err
	}
	size := int64(len(e.Body))
	g.events.Add(1)
	g.bytes.Add(size)
	defer func() {
		g.events.Add(-1)
		g.bytes.Add(-size)
	}()
	receipt, err := g.log.Append(ctx, e)
	if errors.Is(err, eventstore.ErrIntegrity) {
		g.shut(err) // the log was looked at anew, as it is each time its server comes back
	}
	return receipt, err
}

// pending is what is received and not stored yet.
func (g *gate) pending() api.Pending {
	return api.Pending{Events: uint64(g.events.Load()), Bytes: uint64(g.bytes.Load())}
}
