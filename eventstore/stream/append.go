package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// Append stores one event, together with all that wait. See eventstore.Appender: when
// it returns nil the event is synced as Durability says. It returns within
// Options.AppendTimeout.
//
// An ErrBusy, ErrDiskLow, ErrClosed, ErrTooLarge or ErrInvalid comes at once, and so does an
// ErrUnavailable while the server is known to be out of reach.
func (l *Log) Append(ctx context.Context, e eventstore.Event) (eventstore.Receipt, error) {
	receipt, err := l.append(ctx, e)
	l.metrics.appended(err)
	if err != nil {
		return eventstore.Receipt{}, fmt.Errorf("append %s: %w", e.ID, err)
	}
	return receipt, nil
}

func (l *Log) append(ctx context.Context, e eventstore.Event) (eventstore.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return eventstore.Receipt{}, err
	}
	r := l.newRequest(e)
	if err := l.admit(r); err != nil {
		l.recycle(r)
		return eventstore.Receipt{}, err
	}
	r.timer.Reset(l.opts.AppendTimeout)
	select {
	case res := <-r.done:
		l.finish(r)
		return res.receipt, res.err
	case <-ctx.Done(): // nil where the context never ends, as serve has it: then there is no choice to pay for
		r.timer.Stop()
		l.abandon(r)
		return eventstore.Receipt{}, ctx.Err()
	}
}

// admit puts the request among the waiting, or says why not.
func (l *Log) admit(r *request) error {
	if err := r.event.Validate(); err != nil {
		return err
	}
	r.size = eventstore.EncodedSize(&r.event)
	if limit := l.MaxMessage(); eventstore.GroupOverhead+r.size > limit {
		return fmt.Errorf("%w: it takes up to %d bytes, the largest message %d", eventstore.ErrTooLarge, eventstore.GroupOverhead+r.size, limit)
	}
	if l.disk != nil {
		if err := l.disk.low(); err != nil {
			return err
		}
	}
	lk := l.link.Load()
	if lk == nil || !lk.up.Load() {
		if l.closed() {
			return eventstore.ErrClosed
		}
		return lk.unlinked()
	}
	if err := lk.stopped(); err != nil {
		return err
	}
	r.until = l.opts.Now().Add(l.opts.AppendTimeout)
	return l.queue.put(r)
}

// newRequest and recycle keep requests with their channel and timer, so that an
// append allocates nothing.
func (l *Log) newRequest(e eventstore.Event) *request {
	r, ok := l.requests.Get().(*request)
	if !ok {
		r = &request{done: make(chan result, 2)}
		r.timer = time.AfterFunc(time.Hour, func() { l.overdue(r) })
		r.timer.Stop()
	}
	r.event = e
	return r
}

func (l *Log) recycle(r *request) {
	r.event = eventstore.Event{}
	l.requests.Put(r)
}

// finish recycles a request that was answered, unless its timer says something yet: that is for nobody else.
func (l *Log) finish(r *request) {
	if r.timer.Stop() {
		l.recycle(r)
	}
}

// overdue gives up a request that has had no answer in time.
func (l *Log) overdue(r *request) {
	l.abandon(r)
	r.done <- result{err: fmt.Errorf("%w: no answer within %s", eventstore.ErrUnavailable, l.opts.AppendTimeout)}
}

// abandon leaves the request to the committer, which will not touch the event's memory again.
// If the event is in a message already it may still be stored.
func (l *Log) abandon(r *request) {
	l.encoding.Lock()
	defer l.encoding.Unlock()
	r.abandoned = true
	r.event = eventstore.Event{}
}

// outcome names what became of an append, for the metric.
func outcome(err error) string {
	switch {
	case err == nil:
		return "stored"
	case errors.Is(err, eventstore.ErrBusy):
		return "busy"
	case errors.Is(err, eventstore.ErrDiskLow):
		return "disk_low"
	case errors.Is(err, eventstore.ErrClosed):
		return "closed"
	case errors.Is(err, eventstore.ErrTooLarge):
		return "too_large"
	case errors.Is(err, eventstore.ErrInvalid):
		return "invalid"
	case errors.Is(err, eventstore.ErrUnavailable):
		return "unavailable"
	default:
		return "cancelled"
	}
}
