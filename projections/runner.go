package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// DefaultBatch is how many events a batch takes at the most when the runner is behind.
const DefaultBatch = 4000

const (
	// pace is how long after a batch the next one is applied at the earliest. A lone
	// event waits for nobody; under load some hundred share what a batch costs.
	pace = 20 * time.Millisecond
	// pressed is the pace after a batch of many: the more events share a batch, the fewer rows are written
	// for each, and at such a rate the processor is what webhooks wait for.
	pressed = 50 * time.Millisecond
	many    = 256
)

// Runner follows the log and keeps a projector's directory at its head.
type Runner struct {
	log       eventstore.Reader
	projector *Projector
	batch     int
	logger    *slog.Logger
	metrics   *Metrics

	failure atomic.Pointer[error]
	waiting atomic.Pointer[error]
}

// RunnerOptions configures a Runner.
type RunnerOptions struct {
	Log       eventstore.Reader
	Projector *Projector
	// Batch bounds the events of a batch; 0 for DefaultBatch. One group is never split.
	Batch  int
	Logger *slog.Logger
	// Metrics, if not nil, counts what the runner applies.
	Metrics *Metrics
}

// NewRunner returns a runner. Don't forget to Run it.
func NewRunner(o RunnerOptions) *Runner {
	if o.Batch <= 0 {
		o.Batch = DefaultBatch
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Runner{log: o.Log, projector: o.Projector, batch: o.Batch, logger: o.Logger, metrics: o.Metrics.orNone()}
}

// Err returns why the projection does not follow the log, nil while it does: an
// eventstore.ErrIntegrity or kv.ErrDamaged for good, an eventstore.ErrUnavailable until the log answers again.
func (r *Runner) Err() error {
	if e := r.failure.Load(); e != nil {
		return *e
	}
	if e := r.waiting.Load(); e != nil {
		return *e
	}
	return nil
}

// Run applies groups as they come until ctx ends (nil) or something is damaged
// (the error, which Err keeps returning). What the batch at hand holds by then is applied.
func (r *Runner) Run(ctx context.Context) error {
	// What was not for good may be over.
	if e := r.failure.Load(); e != nil && !errors.Is(*e, eventstore.ErrIntegrity) && !errors.Is(*e, kv.ErrDamaged) {
		r.failure.Store(nil)
	}
	loadCtx, stop := context.WithCancel(ctx)
	loading := make(chan error, 1)
	if r.projector.seen.known() { // by an earlier runner
		loading <- nil
	} else {
		go func() { loading <- loadSeen(loadCtx, r.projector.db, r.projector.seen.loaded) }()
	}
	err := r.run(ctx)
	stop()
	err = errors.Join(err, <-loading)
	if ctx.Err() != nil && !errors.Is(err, eventstore.ErrIntegrity) {
		return nil
	}
	if err != nil {
		r.failure.Store(&err)
		r.metrics.failed(err)
	}
	return err
}

func (r *Runner) run(ctx context.Context) error {
	for {
		err := CheckTail(ctx, r.log, r.projector.Checkpoint())
		if !errors.Is(err, eventstore.ErrUnavailable) {
			if err != nil {
				return err
			}
			break
		}
		r.wait(err)
		if err := pause(ctx); err != nil {
			return err
		}
	}
	cursor, err := r.log.Follow(ctx, eventstore.Position(r.projector.Checkpoint().Position))
	for errors.Is(err, eventstore.ErrUnavailable) {
		r.wait(err)
		if err := pause(ctx); err != nil {
			return err
		}
		cursor, err = r.log.Follow(ctx, eventstore.Position(r.projector.Checkpoint().Position))
	}
	if err != nil {
		return err
	}
	return errors.Join(r.follow(ctx, cursor), cursor.Close())
}

func (r *Runner) follow(ctx context.Context, cursor eventstore.Cursor) error {
	paced := time.NewTimer(0)
	defer paced.Stop()
	for {
		g, err := cursor.Next(ctx)
		switch {
		case err == nil:
			r.waiting.Store(nil)
			if err := r.projector.Add(&g); err != nil {
				return errors.Join(err, r.commit())
			}
			if r.projector.Pending() >= r.batch {
				break // behind: what is full waits for nothing
			}
			if cursor.Buffered() > 0 {
				continue
			}
			select {
			case <-paced.C:
			case <-ctx.Done():
			}
			if cursor.Buffered() > 0 {
				paced.Reset(0)
				continue
			}
		case errors.Is(err, eventstore.ErrIdle):
			r.waiting.Store(nil)
			continue
		case errors.Is(err, eventstore.ErrUnavailable):
			r.wait(err)
			if err := pause(ctx); err != nil {
				return err
			}
			continue
		default:
			return errors.Join(err, r.commit())
		}
		next := pace
		if r.projector.Pending() >= many {
			next = pressed
		}
		if err := r.commit(); err != nil {
			return err
		}
		paced.Reset(next)
	}
}

func (r *Runner) commit() error {
	n := r.projector.Pending()
	if n == 0 {
		return nil
	}
	before := r.projector.Checkpoint()
	if err := r.projector.Commit(); err != nil {
		return err
	}
	r.metrics.applied(before, r.projector.Checkpoint())
	return nil
}

// wait notes that the log does not answer, and says so once.
func (r *Runner) wait(err error) {
	if r.waiting.Swap(&err) == nil {
		r.logger.Warn("projection waits for the log", slog.Any("error", err))
	}
}

// CheckTail compares the log with what a directory has read of it: the group at
// the checkpoint has to be there still, and be the same. A log that lost its tail,
// and perhaps wrote other events in its place, is an eventstore.ErrIntegrity.
func CheckTail(ctx context.Context, log eventstore.Reader, c Checkpoint) error {
	if c.Position == 0 {
		return nil
	}
	head, err := log.Head(ctx)
	if err != nil {
		return err
	}
	if uint64(head) < c.Position {
		return fmt.Errorf("%w: the log ends at position %d, before the checkpoint %d: it lost its tail", eventstore.ErrIntegrity, head, c.Position)
	}
	g, err := log.At(ctx, eventstore.Position(c.Position))
	if errors.Is(err, eventstore.ErrNotFound) {
		return fmt.Errorf("%w: the log has no group at position %d, where the checkpoint stands", eventstore.ErrIntegrity, c.Position)
	}
	if err != nil {
		return err
	}
	if g.ID != c.GroupID {
		return fmt.Errorf("%w: position %d holds group %s, and group %s was read there: the log lost its tail and was written on", eventstore.ErrIntegrity, c.Position, g.ID, c.GroupID)
	}
	return nil
}
