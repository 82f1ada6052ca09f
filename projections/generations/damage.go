package generations

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/tidemark-dev/tidemark/projections/kv"
)

// Damaged tells the Set that a read of the serving generation found damage (an error
// that is a kv.ErrDamaged; others say nothing). Err names it from then on, the next start does
// not open the directory again, and a new generation is begun from the log, which takes
// over without being compared. That is done once a run: damage that comes back has a cause that a
// rebuild does not mend. Safe for concurrent use.
func (s *Set) Damaged(err error) {
	if !errors.Is(err, kv.ErrDamaged) {
		return
	}
	s.mu.Lock()
	g := s.serving
	first := g.damage == nil
	if first {
		g.damage = fmt.Errorf("%s: %w", s.path(g.name), err)
	}
	s.mu.Unlock()
	if !first {
		return
	}
	s.o.Logger.Error("the projections that serve are damaged; the log gives everything back", slog.String("path", s.path(g.name)), slog.Any("error", err))
	if err := os.WriteFile(s.path(g.name+DamagedMark), nil, 0o600); err != nil {
		s.o.Logger.Warn("the next start may open the damaged projections again", slog.Any("error", err))
	}
	s.heal()
}

// damage is why the serving generation cannot be trusted, nil while it can.
func (s *Set) damage() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.serving.damage
}

// heal begins the rebuild that replaces a damaged generation, unless another is under way.
func (s *Set) heal() {
	s.mu.Lock()
	due := s.serving.damage != nil && !s.healed && !s.job.State.unfinished() && !s.rollingBack
	s.healed = s.healed || due
	s.mu.Unlock()
	if !due {
		return
	}
	if _, err := s.Start(Request{Reason: "the projections are damaged"}); err != nil && !errors.Is(err, ErrBusy) {
		s.o.Logger.Error("the rebuild could not be begun: tidemark rebuild", slog.Any("error", err))
	}
}
