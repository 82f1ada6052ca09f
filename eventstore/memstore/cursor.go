package memstore

import (
	"context"
	"fmt"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// cursor reads the store from one position on. Its own fields belong to the
// goroutine that calls Next and Buffered; closed is guarded by the store's mutex.
type cursor struct {
	store   *Store
	last    eventstore.Position // delivered last
	damaged error               // the integrity failure where the cursor stands for good
	decoder eventstore.Decoder
	group   eventstore.Group
	message []byte // what group's events alias
	closed  bool
}

// Follow opens a cursor behind after. See eventstore.Reader.
func (s *Store) Follow(ctx context.Context, after eventstore.Position) (eventstore.Cursor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.readable(); err != nil {
		return nil, err
	}
	return &cursor{store: s, last: after}, nil
}

// Next returns the next group. See eventstore.Cursor.
func (c *cursor) Next(ctx context.Context) (eventstore.Group, error) {
	if c.damaged != nil {
		return eventstore.Group{}, c.damaged
	}
	c.lapse()
	idle := time.NewTimer(c.store.Idle)
	defer idle.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return eventstore.Group{}, err
		}
		ready, changed, err := c.take()
		if err != nil {
			return eventstore.Group{}, err
		}
		if ready {
			return c.decode()
		}
		select {
		case <-changed:
		case <-ctx.Done():
		case <-idle.C:
			return eventstore.Group{}, eventstore.ErrIdle
		}
	}
}

// take copies the next message out of the store. Where there is none yet, changed
// tells when to look again.
func (c *cursor) take() (ready bool, changed <-chan struct{}, err error) {
	s := c.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.closed {
		return false, nil, fmt.Errorf("cursor: %w", eventstore.ErrClosed)
	}
	if err := s.readable(); err != nil {
		return false, nil, err
	}
	switch head := s.head(); {
	case c.last > head:
		c.damaged = fmt.Errorf("%w: the head is at position %d, behind %d which was already read", eventstore.ErrIntegrity, head, c.last)
	case s.faults.repeat[c.last] && c.group.Position == c.last:
		c.damaged = fmt.Errorf("%w: position %d was delivered again", eventstore.ErrIntegrity, c.last)
	case c.last == head:
		return false, s.changed, nil
	default:
		c.message, c.damaged = s.read(c.message[:0], c.last+1)
	}
	return c.damaged == nil, nil, c.damaged
}

// lapse overwrites what the last Next lent, as a transport does that uses its buffers again.
func (c *cursor) lapse() {
	for i := range c.message {
		c.message[i] = '#'
	}
}

func (c *cursor) decode() (eventstore.Group, error) {
	if err := c.decoder.Decode(c.message, &c.group); err != nil {
		c.damaged = fmt.Errorf("position %d: %w", c.last+1, err)
		return eventstore.Group{}, c.damaged
	}
	c.last++
	c.group.Position = c.last
	return c.group, nil
}

// Buffered reports how many groups are there and undamaged. See eventstore.Cursor.
func (c *cursor) Buffered() int {
	s := c.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.closed || s.closed || c.damaged != nil || s.faults.failReads > 0 || s.faults.repeat[c.last] {
		return 0
	}
	if len(s.faults.damage) == 0 && len(s.faults.repeat) == 0 {
		return int(max(s.head(), c.last) - c.last)
	}
	n := 0
	for p := c.last + 1; p <= s.head() && s.faults.damage[p] == nil; p++ {
		n++
		if s.faults.repeat[p] {
			break
		}
	}
	return n
}

// Close frees the cursor: a Next under way returns ErrClosed. See eventstore.Cursor.
func (c *cursor) Close() error {
	s := c.store
	s.mu.Lock()
	defer s.mu.Unlock()
	c.closed = true
	s.wake()
	return nil
}
