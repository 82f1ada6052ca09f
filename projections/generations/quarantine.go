package generations

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/projections"
)

// ErrStill means that the serving generation does not follow the log, so that
// nothing is put into it either.
var ErrStill = errors.New("the projection stands still")

// RetryQuarantine lets events that the definitions can place by now leave the
// quarantine of the serving generation, as a rebuild would have it, and names
// those that take a rebuild. Live events are applied in between. What it placed
// before an error stays placed; it can be called again.
func (s *Set) RetryQuarantine(ctx context.Context) (_ projections.Retried, err error) {
	if err := s.Err(); err != nil && !errors.Is(err, eventstore.ErrUnavailable) {
		return projections.Retried{}, fmt.Errorf("%w: %w", ErrStill, err)
	}
	end, err := s.changeBehind()
	if err != nil {
		return projections.Retried{}, err
	}
	r := projections.NewRetry(s.o.Log)
	defer func() { err = errors.Join(err, end(r.Result.Placed+r.Result.Duplicates > 0)) }()
	for more := true; more; {
		err := s.takeTurn(ctx, func(ctx context.Context) (err error) {
			more, err = r.Step(ctx, s.serving.projector)
			return err
		})
		if err != nil {
			return r.Result, fmt.Errorf("retry the quarantine: %w", err)
		}
	}
	r.Result.Outdated = s.Status().Outdated
	if r.Result.Placed+r.Result.Duplicates > 0 {
		s.o.Logger.Info("events left the quarantine", slog.Any("placed", r.Result.Placed), slog.Any("duplicates", r.Result.Duplicates),
			slog.Any("kept", r.Result.Kept), slog.Any("need_rebuild", r.Result.NeedRebuild))
	}
	return r.Result, nil
}
