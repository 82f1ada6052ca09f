// Package memstore is the log in memory, for tests: the twin of
// eventstore/stream, with every fault of a log on demand.
//
// Guarantee: it keeps the contract of package eventstore (eventstore/storetest holds it to
// that) but for durability: nothing outlives the process. Groups are really encoded
// and decoded, and what it does depends on nothing but the order of calls. What a cursor
// lends is overwritten at its next Next, so a reader that keeps it is found out.
//
// Flow: it stands in for the log under tests of ingest and projections.
package memstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// Defaults of a store's settings.
const (
	DefaultIdle       = 20 * time.Millisecond
	DefaultMaxMessage = 8 << 20
)

// Store is a log in memory. Make one with New. Safe for concurrent use.
type Store struct {
	// Idle is how long a cursor's Next waits before it returns ErrIdle. Set it before use.
	Idle time.Duration
	// MaxMessage is the size in bytes of the largest group. Set it before use.
	MaxMessage int

	mu       sync.Mutex
	messages [][]byte      // the group at position p is messages[p-1]
	changed  chan struct{} // closed, and made anew, whenever a waiting reader has to look again
	closed   bool
	faults   faults
}

// New returns an empty log.
func New() *Store {
	return &Store{Idle: DefaultIdle, MaxMessage: DefaultMaxMessage, changed: make(chan struct{})}
}

// Reopen returns the log as a restart finds it: the same groups, no faults, no cursors.
// Further appends to either store do not show in the other.
func (s *Store) Reopen() *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	again := New()
	again.Idle, again.MaxMessage = s.Idle, s.MaxMessage
	again.messages = append(again.messages, s.messages...)
	return again
}

// Close makes every later call, and every Next under way, return ErrClosed.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.wake()
	return nil
}

// Append stores the event as a group of its own. See eventstore.Appender.
func (s *Store) Append(ctx context.Context, e eventstore.Event) (eventstore.Receipt, error) {
	if err := e.Validate(); err != nil {
		return eventstore.Receipt{}, err
	}
	if err := s.passStall(ctx); err != nil {
		return eventstore.Receipt{}, fmt.Errorf("append %s: %w", e.ID, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return eventstore.Receipt{}, fmt.Errorf("append %s: %w", e.ID, eventstore.ErrClosed)
	}
	if err := s.faults.beforeAppend(); err != nil {
		return eventstore.Receipt{}, fmt.Errorf("append %s: %w", e.ID, err)
	}
	p, err := s.append([]eventstore.Event{e})
	if err != nil {
		return eventstore.Receipt{}, err
	}
	if err := s.faults.afterAppend(); err != nil {
		return eventstore.Receipt{}, fmt.Errorf("append %s: %w", e.ID, err)
	}
	return eventstore.Receipt{Position: p}, nil
}

// AppendGroup stores the events as one group, past all faults, and returns its
// position. It panics where the events cannot be a group: the test is wrong then.
func (s *Store) AppendGroup(events []eventstore.Event) eventstore.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.append(events)
	if err != nil {
		panic(fmt.Sprintf("memstore: %v", err))
	}
	return p
}

// append stores a group under s.mu.
func (s *Store) append(events []eventstore.Event) (eventstore.Position, error) {
	p := eventstore.Position(len(s.messages) + 1)
	msg, err := eventstore.AppendGroup(nil, groupID(p, events), events)
	if err != nil {
		return 0, err
	}
	if len(msg) > s.MaxMessage {
		return 0, fmt.Errorf("%w: the group has %d bytes, the largest message %d", eventstore.ErrTooLarge, len(msg), s.MaxMessage)
	}
	s.messages = append(s.messages, msg)
	s.wake()
	return p, nil
}

// groupID gives the group at p an id that is the same in every run.
func groupID(p eventstore.Position, events []eventstore.Event) (id ulid.ULID) {
	if len(events) > 0 {
		id = events[0].ID
	}
	binary.BigEndian.PutUint64(id[8:], uint64(p))
	return id
}

// Head returns the position of the last group. See eventstore.Reader.
func (s *Store) Head(ctx context.Context) (eventstore.Position, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.readable(); err != nil {
		return 0, err
	}
	return s.head(), nil
}

// At returns one group in memory of its own. See eventstore.Reader.
func (s *Store) At(ctx context.Context, p eventstore.Position) (eventstore.Group, error) {
	if err := ctx.Err(); err != nil {
		return eventstore.Group{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.readable(); err != nil {
		return eventstore.Group{}, err
	}
	if p == 0 || p > s.head() {
		return eventstore.Group{}, fmt.Errorf("position %d, the head is %d: %w", p, s.head(), eventstore.ErrNotFound)
	}
	msg, err := s.read(nil, p)
	if err != nil {
		return eventstore.Group{}, err
	}
	var d eventstore.Decoder
	g := eventstore.Group{Position: p}
	if err := d.Decode(msg, &g); err != nil {
		return eventstore.Group{}, fmt.Errorf("position %d: %w", p, err)
	}
	return g, nil
}

func (s *Store) head() eventstore.Position { return eventstore.Position(len(s.messages)) }

// readable says whether a read may go on, and uses up a read fault; under s.mu.
func (s *Store) readable() error {
	if s.closed {
		return eventstore.ErrClosed
	}
	return s.faults.beforeRead()
}

// read appends the message at p, with the damage done to it, to buf; under s.mu.
func (s *Store) read(buf []byte, p eventstore.Position) ([]byte, error) {
	buf = append(buf, s.messages[p-1]...)
	if damage := s.faults.damage[p]; damage != nil {
		if buf = damage(buf); buf == nil {
			return nil, fmt.Errorf("%w: gap at position %d, the head is %d", eventstore.ErrIntegrity, p, s.head())
		}
	}
	return buf, nil
}

// wake makes waiting readers look again; under s.mu.
func (s *Store) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}
