package memstore

import (
	"context"
	"fmt"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// faults is what goes wrong next; guarded by the store's mutex.
type faults struct {
	failAppends int
	appendErr   error
	loseAcks    int
	failReads   int
	stalled     chan struct{} // closed when the stall ends; nil where there is none
	waiting     int           // appends that wait for it
	damage      map[eventstore.Position]func([]byte) []byte
	repeat      map[eventstore.Position]bool
}

// FailAppends makes the next n appends store nothing and return err, which is
// ErrUnavailable where err is nil.
func (s *Store) FailAppends(n int, err error) {
	if err == nil {
		err = eventstore.ErrUnavailable
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.failAppends, s.faults.appendErr = n, err
}

// LoseAcks makes the next n appends store their event and yet return ErrUnavailable: the
// acknowledgement was lost on the way.
func (s *Store) LoseAcks(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.loseAcks = n
}

// FailReads makes the next n calls of Head, At, Follow and a cursor's Next return ErrUnavailable.
func (s *Store) FailReads(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.failReads = n
}

// Stall makes appends wait, until resume is called or their context ends; in the
// latter case nothing is stored. Stalling a stalled store, and resuming twice, do nothing more.
func (s *Store) Stall() (resume func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.stalled == nil {
		s.faults.stalled = make(chan struct{})
	}
	gate := s.faults.stalled
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.faults.stalled == gate {
			close(gate)
			s.faults.stalled = nil
		}
	}
}

// WaitStalled returns when at least n appends wait in a stall, or with ctx's error.
func (s *Store) WaitStalled(ctx context.Context, n int) error {
	for {
		s.mu.Lock()
		waiting, changed := s.faults.waiting, s.changed
		s.mu.Unlock()
		if waiting >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d appends wait: %w", waiting, n, ctx.Err())
		}
	}
}

// passStall waits for a stall to end, or for Close.
func (s *Store) passStall(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.stalled != nil {
		s.faults.waiting++
		defer func() { s.faults.waiting-- }()
		s.wake() // once: WaitStalled counts
	}
	for ctx.Err() == nil && !s.closed && s.faults.stalled != nil {
		gate, changed := s.faults.stalled, s.changed
		s.mu.Unlock()
		select {
		case <-gate:
		case <-changed: // perhaps Close
		case <-ctx.Done():
		}
		s.mu.Lock()
	}
	return ctx.Err()
}

// Damage makes every later read of the group at p see what f makes of its message;
// f may change the bytes it is given, and nil means that the group is missing.
// The stored bytes stay as they are: see Heal.
func (s *Store) Damage(p eventstore.Position, f func(msg []byte) []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.damage == nil {
		s.faults.damage = make(map[eventstore.Position]func([]byte) []byte)
	}
	s.faults.damage[p] = f
}

// FlipBit flips one bit, counted from the first byte's lowest, of the message at p.
func (s *Store) FlipBit(p eventstore.Position, bit int) {
	s.Damage(p, func(msg []byte) []byte {
		msg[bit/8] ^= 1 << (bit % 8)
		return msg
	})
}

// CutMessage takes the last n bytes off the message at p.
func (s *Store) CutMessage(p eventstore.Position, n int) {
	s.Damage(p, func(msg []byte) []byte { return msg[:max(0, len(msg)-n)] })
}

// Drop makes the group at p missing while those behind it keep their positions: a gap.
func (s *Store) Drop(p eventstore.Position) {
	s.Damage(p, func([]byte) []byte { return nil })
}

// Repeat makes cursors deliver position p twice.
func (s *Store) Repeat(p eventstore.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.repeat == nil {
		s.faults.repeat = make(map[eventstore.Position]bool)
	}
	s.faults.repeat[p] = true
}

// Heal undoes Damage, FlipBit, CutMessage, Drop and Repeat at p, for cursors opened afterwards.
func (s *Store) Heal(p eventstore.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.faults.damage, p)
	delete(s.faults.repeat, p)
}

// CutTail takes the last n groups away for good, as a log does that lost its end: the
// head goes back and the next append takes a position anew.
func (s *Store) CutTail(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = s.messages[:max(0, len(s.messages)-n)]
	s.wake()
}

func (f *faults) beforeAppend() error {
	if f.failAppends == 0 {
		return nil
	}
	f.failAppends--
	return fmt.Errorf("fault on demand, nothing stored: %w", f.appendErr)
}

func (f *faults) afterAppend() error {
	if f.loseAcks == 0 {
		return nil
	}
	f.loseAcks--
	return fmt.Errorf("fault on demand, stored but not acknowledged: %w", eventstore.ErrUnavailable)
}

func (f *faults) beforeRead() error {
	if f.failReads == 0 {
		return nil
	}
	f.failReads--
	return fmt.Errorf("fault on demand: %w", eventstore.ErrUnavailable)
}
