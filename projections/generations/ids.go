package generations

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/tidemark-dev/tidemark/projections"
)

// A watcher comes back with the position up to which it was told every state. That says
// nothing where a state can have changed at a position that it had before: other projections serve, they
// are filled again from the beginning of the log, or events left the quarantine. Up to which position that is so stands in
// CURRENT (At), and before the first such change that it is not known yet (Unsettled): a crash in
// between must not make a watcher miss it.

// headPause lies between attempts to ask the log for its head.
const headPause = 250 * time.Millisecond

// tellHub tells a hub that has seen nothing what ids say nothing. Nobody else has s yet.
func (s *Set) tellHub() {
	if s.serving.projector.Checkpoint().Position == 0 {
		// Filled from the beginning: whatever served before, the log knows how far it can have got.
		s.current.Unsettled = true
	}
	s.settling = s.current.Unsettled
	switch {
	case s.o.Hub == nil:
	case s.current.Unsettled:
		s.o.Hub.Forget(math.MaxUint64)
	case s.current.At > 0:
		s.o.Hub.Forget(s.current.At)
	}
}

// settle finds out how far ids can have got that say nothing: not beyond the head of the log.
func (s *Set) settle(ctx context.Context) {
	s.mu.Lock()
	due := s.settling
	s.mu.Unlock()
	for due {
		head, err := s.o.Log.Head(ctx)
		if err == nil {
			s.settled(uint64(head))
			return
		}
		pause := time.NewTimer(headPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return
		}
	}
}

func (s *Set) settled(head uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settling = false
	s.current.At, s.current.Unsettled = max(s.current.At, head), s.retries > 0
	if s.o.Hub != nil {
		s.o.Hub.Forget(s.current.At)
	}
	if err := writeFile(s.path(currentFile), s.current); err != nil {
		s.o.Logger.Warn("after the next start, watchers that come back are told all states again", slog.Any("error", err))
	}
}

// changeBehind notes, before it begins, that states may change whose positions do
// not. What it returns ends that, and tells watchers, if changed.
func (s *Set) changeBehind() (end func(changed bool) error, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.current.Unsettled
	s.current.Unsettled = true
	if err := writeFile(s.path(currentFile), s.current); err != nil {
		s.current.Unsettled = was
		return nil, fmt.Errorf("note that states may change: %w", err)
	}
	s.retries++
	return s.changedBehind, nil
}

func (s *Set) changedBehind(changed bool) error {
	var at uint64
	var failed error
	if changed {
		at, failed = s.durable()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retries--
	s.settling = s.settling || failed != nil // the next start will tell
	s.current.At, s.current.Unsettled = max(s.current.At, at), s.settling || s.retries > 0
	if changed && s.o.Hub != nil {
		s.o.Hub.Replaced(at)
	}
	return errors.Join(failed, writeFile(s.path(currentFile), s.current))
}

// durable sees that what the serving generation holds outlives a crash, and returns
// its position.
func (s *Set) durable() (uint64, error) {
	g := s.hold()
	defer g.release()
	v, err := projections.NewView(g.db)
	if err != nil {
		return 0, err
	}
	at := v.Checkpoint().Position
	return at, errors.Join(v.Close(), g.db.Sync())
}
