package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// Follow opens a cursor behind after. It asks the server nothing yet; see eventstore.Reader.
func (l *Log) Follow(ctx context.Context, after eventstore.Position) (eventstore.Cursor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if l.ended.Load() {
		return nil, fmt.Errorf("follow the log: %w", eventstore.ErrClosed)
	}
	return &cursor{log: l, next: after + 1, since: l.tail.end(), done: make(chan struct{})}, nil
}

// cursor delivers the groups of the log without a gap, whatever the server delivers. It
// outlives the connection: where that breaks, it goes on where it stood.
type cursor struct {
	log  *Log
	done chan struct{} // closed by Close
	once sync.Once

	mu      sync.Mutex // held by Next and Buffered
	next    eventstore.Position
	since   eventstore.Position // what lies before was acknowledged when the cursor was opened
	feed    *feed               // nil until there is one
	damaged error               // the integrity failure where the cursor stands for good
	decoder eventstore.Decoder
	group   eventstore.Group
}

// Next returns the next group. See eventstore.Cursor.
func (c *cursor) Next(ctx context.Context) (eventstore.Group, error) {
	c.mu.Lock()
	defer c.release()
	if c.damaged != nil {
		return eventstore.Group{}, c.damaged
	}
	g, err := c.deliver(ctx)
	if err != nil {
		err = fmt.Errorf("cursor at position %d: %w", c.next, err)
		if errors.Is(err, eventstore.ErrIntegrity) {
			c.damaged = err
			c.drop()
		}
		return eventstore.Group{}, err
	}
	c.next++
	return g, nil
}

// deliver finds the group at c.next.
func (c *cursor) deliver(ctx context.Context) (eventstore.Group, error) {
	var idle *time.Timer // most groups are here already and need none
	for {
		if c.isClosed() {
			return eventstore.Group{}, eventstore.ErrClosed
		}
		if message, _, _ := c.recent(c.log.link.Load()); message != nil {
			c.drop()
			return c.decode(message)
		}
		if c.feed != nil {
			if m := c.feed.take(); m != nil {
				p, err := c.feed.place(m)
				if err == nil && p < c.next {
					continue // look fetched it meanwhile
				}
				if err != nil {
					return eventstore.Group{}, err
				}
				return c.open(ctx, m, p)
			}
		}
		if idle == nil {
			idle = time.NewTimer(c.log.opts.Idle)
			defer idle.Stop()
		}
		waited, err := c.wait(ctx, idle.C)
		if err != nil {
			return eventstore.Group{}, err
		}
		if waited {
			return c.look(ctx)
		}
	}
}

// recent is what the tail says of c.next. Of what was stored before the cursor was opened it is not asked: who reads
// that, as a rebuild and a verification do, is to have what the disk gives back.
func (c *cursor) recent(lk *link) (message []byte, here int, comes bool) {
	if c.next < c.since {
		return nil, 0, false
	}
	return c.log.tail.at(lk, c.next)
}

// wait sees that messages are on their way, and waits until one is here, the connection
// changes, or the idle time is over (true).
func (c *cursor) wait(ctx context.Context, idle <-chan time.Time) (waited bool, err error) {
	changed, grown := c.log.changed.wait(), c.log.tail.grown.wait()
	if c.feed != nil && c.feed.lost() {
		c.drop()
	}
	var messages chan *nats.Msg
	lk, err := c.log.current()
	message, _, comes := c.recent(lk)
	switch {
	case errors.Is(err, eventstore.ErrClosed):
		return false, err
	case message != nil: // it came meanwhile
		return false, nil
	case err == nil && c.feed == nil && !comes:
		if err := c.settle(ctx, func() error { c.feed, err = c.log.openFeed(ctx, lk, c.next); return err }); err != nil {
			return false, err
		}
	}
	var again <-chan time.Time
	switch {
	case c.feed == nil:
	case c.feed.early:
		grown = nil // under load the pause would never end
		pause := time.NewTimer(earlyPause)
		defer pause.Stop()
		again = pause.C
	default:
		if err := c.feed.pull(); err != nil {
			c.drop()
			return false, outOfReach(ctx, err)
		}
		messages = c.feed.messages
	}
	select {
	case m := <-messages:
		c.feed.receive(m)
		return false, c.overError()
	case <-again:
		c.feed.early = false
		return false, nil
	case <-changed:
		return false, nil
	case <-grown:
		return false, nil
	case <-idle:
		return true, nil
	case <-c.done:
		return false, eventstore.ErrClosed
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// overError reports a feed that the server has ended; the next call opens another.
func (c *cursor) overError() error {
	if c.feed.over == nil {
		return nil
	}
	defer c.drop()
	return fmt.Errorf("%w: %w", eventstore.ErrUnavailable, c.feed.over)
}

// open reads the message if it is the one that is due.
func (c *cursor) open(ctx context.Context, m *nats.Msg, p eventstore.Position) (eventstore.Group, error) {
	if p > c.next {
		// Lost on its way here, or in the log? The log itself knows.
		c.drop()
		return c.fetch(ctx, p-1)
	}
	return c.decode(m.Data)
}

// decode reads the message at c.next.
func (c *cursor) decode(message []byte) (eventstore.Group, error) {
	if err := c.decoder.Decode(message, &c.group); err != nil {
		return eventstore.Group{}, err
	}
	c.group.Position = c.next
	return c.group, nil
}

// look is what an idle cursor does: nothing came, but the server passes over a damaged message
// without a word, at the end of the log too, so the head is asked.
func (c *cursor) look(ctx context.Context) (eventstore.Group, error) {
	var head eventstore.Position
	err := c.settle(ctx, func() (err error) {
		if head, err = c.log.Head(ctx); err == nil && head+1 < c.next {
			return headBehind(head, c.next)
		}
		return err
	})
	if err != nil {
		return eventstore.Group{}, err
	}
	if head < c.next {
		return eventstore.Group{}, eventstore.ErrIdle
	}
	// A feed may be slow. One that gave nothing all the time since the last look is dead.
	if c.feed != nil {
		if c.feed.silent {
			c.drop()
		} else {
			c.feed.silent = true
		}
	}
	return c.fetch(ctx, head)
}

// fetch gets the group at c.next, which the feed did not bring although the log reaches to head.
func (c *cursor) fetch(ctx context.Context, head eventstore.Position) (g eventstore.Group, err error) {
	err = c.settle(ctx, func() error {
		g, err = c.log.at(ctx, c.next)
		if errors.Is(err, eventstore.ErrNotFound) {
			return fmt.Errorf("%w: there is no readable message at position %d, though the log reaches to %d", eventstore.ErrIntegrity, c.next, head)
		}
		return err
	})
	return g, err
}

const (
	// looks and lookPause are how often, and how far apart, an external server is asked before what
	// it says is called damage: a leader just elected may need a moment to know all it has.
	looks     = 10
	lookPause = 100 * time.Millisecond
)

// settle repeats a look that found damage, until it finds none or it is certain.
func (c *cursor) settle(ctx context.Context, look func() error) error {
	for i := 1; ; i++ {
		err := look()
		if !errors.Is(err, eventstore.ErrIntegrity) || i == looks || c.log.opts.embedded() {
			return err
		}
		pause := time.NewTimer(lookPause)
		select {
		case <-pause.C:
		case <-c.done:
			pause.Stop()
			return eventstore.ErrClosed
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
}

// Buffered reports how many groups are here already. See eventstore.Cursor.
func (c *cursor) Buffered() int {
	c.mu.Lock()
	defer c.release()
	if c.damaged != nil || c.isClosed() {
		return 0
	}
	if _, here, _ := c.recent(c.log.link.Load()); here > 0 || c.feed == nil {
		return here
	}
	return c.feed.waiting()
}

// Close frees the cursor: a Next under way returns ErrClosed. See eventstore.Cursor.
func (c *cursor) Close() error {
	c.once.Do(func() { close(c.done) })
	if c.mu.TryLock() { // else whoever holds it drops the feed when it is done
		c.drop()
		c.mu.Unlock()
	}
	return nil
}

func (c *cursor) isClosed() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// release lets go of the cursor and, if it was closed meanwhile, of its feed.
func (c *cursor) release() {
	c.mu.Unlock()
	if c.isClosed() && c.mu.TryLock() {
		c.drop()
		c.mu.Unlock()
	}
}

func (c *cursor) drop() {
	if c.feed != nil {
		c.feed.close()
		c.feed = nil
	}
}
