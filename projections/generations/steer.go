package generations

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
)

// control is how a job is steered while it runs.
type control struct {
	mu       sync.Mutex
	resumed  chan struct{} // closed when a paused job goes on; nil while it is not paused
	cancel   context.CancelFunc
	decision chan struct{} // of a review: it is to take over
}

// gate lets a job wait while it is paused.
func (c *control) gate(ctx context.Context) error {
	c.mu.Lock()
	resumed := c.resumed
	c.mu.Unlock()
	if resumed == nil {
		return ctx.Err()
	}
	select {
	case <-resumed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *control) pause(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case on && c.resumed == nil:
		c.resumed = make(chan struct{})
	case !on && c.resumed != nil:
		close(c.resumed)
		c.resumed = nil
	}
}

// begin readies the control for a job and returns the job's context.
func (c *control) begin(ctx context.Context) (context.Context, chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, c.cancel = context.WithCancel(ctx)
	c.decision = make(chan struct{}, 1)
	return ctx, c.decision
}

// stop ends the job under way, if there is one.
func (c *control) stop() {
	c.pause(false)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		c.cancel()
	}
}

// decide ends a review.
func (c *control) decide() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.decision != nil {
		c.decision <- struct{}{}
	}
}

func (c *control) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel()
	c.cancel, c.decision = nil, nil
}

// Pause lets the rebuild wait, and Resume lets it go on. They return ErrNoJob, or
// ErrState where it is not being built.
func (s *Set) Pause(id string) (Job, error) { return s.setPaused(id, true) }

// Resume lets a paused rebuild go on.
func (s *Set) Resume(id string) (Job, error) { return s.setPaused(id, false) }

func (s *Set) setPaused(id string, on bool) (Job, error) {
	return s.steer(id, []State{Building, Comparing}, func(j *Job) {
		j.Paused = on
		s.control.pause(on)
	})
}

// Cancel ends a rebuild that has not begun to take over; what it made is
// removed. The definitions and the code it was made with begin no rebuild by themselves any more. It
// returns ErrNoJob or ErrState.
func (s *Set) Cancel(id string) (Job, error) {
	return s.steer(id, []State{Building, Comparing, Review}, func(j *Job) {
		j.State, j.Paused, j.EndedAt = Cancelled, false, s.o.Now().UTC()
		if !j.Request.DryRun && !j.Request.Verify {
			s.decline()
		}
		s.control.stop()
	})
}

// Promote lets a rebuild that waits for review take over. It returns ErrNoJob or ErrState.
func (s *Set) Promote(id string) (Job, error) {
	return s.steer(id, []State{Review}, func(j *Job) {
		j.State = Promoting
		s.control.decide()
	})
}

// Rollback lets the generation before the serving one take over again, after
// bringing it up to date with the log. It returns ErrNoPrevious, or ErrBusy during a rebuild.
func (s *Set) Rollback(ctx context.Context) (from, to string, err error) {
	c, declined, err := s.beginRollback()
	if err != nil {
		return "", "", err
	}
	defer func() {
		s.mu.Lock()
		s.rollingBack = false
		s.mu.Unlock()
		s.reconsidered(ctx)
	}()
	// It may still be closing: readers that began before it was replaced hold it.
	closed := make(chan struct{})
	go func() { s.retired.Wait(); close(closed) }()
	select {
	case <-closed:
	case <-ctx.Done():
		return "", "", ctx.Err()
	}
	g, err := s.open(c.Previous)
	if err != nil {
		return "", "", fmt.Errorf("open the generation before this one: %w", err)
	}
	if err := s.takeTurn(ctx, func(ctx context.Context) error { return s.takeOver(ctx, g, declined) }); err != nil {
		return "", "", errors.Join(err, g.close())
	}
	s.o.Logger.Info("rolled back: the generation before serves again", slog.Any("from", c.Serving), slog.Any("to", c.Previous))
	return c.Serving, c.Previous, nil
}

// beginRollback also returns which definitions it decides against: others that come while it is
// under way are not among them.
func (s *Set) beginRollback() (c current, declined map[string]string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.job.State.unfinished() || s.rollingBack:
		return s.current, nil, ErrBusy
	case s.current.Previous == "":
		return s.current, nil, ErrNoPrevious
	}
	s.rollingBack = true
	return s.current, digests(s.definitions), nil
}

// takeTurn has Run call do while nothing else uses the serving generation's projector.
func (s *Set) takeTurn(ctx context.Context, do func(context.Context) error) error {
	t := turn{do: do, done: make(chan error, 1)}
	select {
	case s.turns <- t:
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-t.done
}

// ReportFile is the file with every difference of a rebuild, a JSON object of
// rebuild.Change a line. It returns ErrNoJob, or ErrState before there is one.
func (s *Set) ReportFile(id string) (string, error) {
	if _, err := s.Job(id); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	path := filepath.Join(s.o.Root, reportDir, s.job.ID+".jsonl")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w: rebuild %s has no report yet", ErrState, s.job.ID)
	}
	return path, nil
}
