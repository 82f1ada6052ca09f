package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// A server that comes back need not be the one that went, nor have all that it had: another
// one may have its address, or its disk is an older one. What is stored there would take the
// positions of what is lost. So each time the connection has come up, before anything is
// stored or followed, the stream is held to what is known of the log.

// looked is what a look at the stream found. It holds for one connection, as long as that is not lost.
type looked struct {
	link  *link
	epoch uint64
	err   error // an ErrIntegrity: it is not the log that is known
	// head is where the log ends. Behind it the next group is put.
	head atomic.Uint64
}

func (k *looked) holds(lk *link) bool { return k != nil && k.link == lk && k.epoch == lk.epoch.Load() }

// same sees that the stream behind a connection is the log that is known, once for
// each time that it came up: an ErrIntegrity says that it is not, an ErrUnavailable that nobody can say.
func (l *Log) same(ctx context.Context, lk *link) (*looked, error) {
	if k := l.looked.Load(); k.holds(lk) {
		return k, k.err
	}
	l.looking.Lock()
	defer l.looking.Unlock()
	if k := l.looked.Load(); k.holds(lk) { // somebody else looked meanwhile
		return k, k.err
	}
	ctx, done := l.whileLinked(ctx)
	defer done()
	k := &looked{link: lk, epoch: lk.epoch.Load()}
	head, err := l.compare(ctx, lk)
	for i := 1; i < looks && errors.Is(err, eventstore.ErrIntegrity) && !l.opts.embedded(); i++ {
		pause := time.NewTimer(lookPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, outOfReach(ctx, err)
		}
		head, err = l.compare(ctx, lk)
	}
	if err != nil && !errors.Is(err, eventstore.ErrIntegrity) {
		if !k.holds(lk) { // and not what became of the question
			err = fmt.Errorf("%w: %w", eventstore.ErrUnavailable, errUnlinked)
		}
		return nil, err
	}
	if k.err = err; err != nil {
		l.opts.Logger.Error("the stream is not the log that is known; nothing is stored in it", slog.String("server", l.opts.where()), slog.Any("error", err))
	}
	k.head.Store(uint64(head))
	if !k.holds(lk) {
		return nil, fmt.Errorf("%w: %w", eventstore.ErrUnavailable, errUnlinked)
	}
	l.looked.Store(k)
	return k, k.err
}

// whileLinked returns a context that ends with ctx or when the connection changes: no answer
// comes on one that is gone, and whoever waits for it keeps everybody from the next.
func (l *Log) whileLinked(ctx context.Context) (context.Context, context.CancelFunc) {
	changed := l.changed.wait()
	ctx, done := context.WithCancel(ctx)
	go func() {
		select {
		case <-changed:
			done()
		case <-ctx.Done():
		}
	}()
	return ctx, done
}

// unknown is why nothing can be stored on a connection whose stream was not found to be the log yet.
func (l *Log) unknown(lk *link) error {
	switch k := l.looked.Load(); {
	case !k.holds(lk):
		return fmt.Errorf("%w: the stream was not compared yet with what is known of the log", eventstore.ErrUnavailable)
	case k.err != nil:
		return fmt.Errorf("%w: %w", eventstore.ErrUnavailable, k.err)
	}
	return nil
}

// lookIdle does what a publish would do first, so that Health knows without one. A stream that was found to be another
// log is looked at again: behind a connection that stays, such as one to a cluster, it can come back as well as go.
func (l *Log) lookIdle(ctx context.Context) {
	lk, err := l.current()
	if err != nil {
		return
	}
	ctx, done := context.WithTimeout(ctx, callTimeout)
	defer done()
	if k, err := l.same(ctx, lk); k != nil && errors.Is(err, eventstore.ErrIntegrity) && !l.opts.embedded() { // Health says all else
		l.lookAgain(ctx, k)
	}
}

// lookAgain puts an end to what a look found, once the stream is the log that is known. Publishes are refused meanwhile
// without waiting for it.
func (l *Log) lookAgain(ctx context.Context, found *looked) {
	head, err := l.compare(ctx, found.link)
	if err != nil {
		return
	}
	now := &looked{link: found.link, epoch: found.epoch}
	now.head.Store(uint64(head))
	if l.looked.CompareAndSwap(found, now) {
		l.opts.Logger.Info("the stream is the log that is known, again", slog.String("server", l.opts.where()))
	}
}
