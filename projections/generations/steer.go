package generations

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// control is how a job is steered while it runs.
type control struct {
	mu       sync.Mutex
	resumed  chan struct{} // closed when a paused job goes on; nil while it is not paused
	cancel   context.CancelFunc
	decision chan bool // of a review: promote or not
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
func (c *control) begin(ctx context.Context) (context.Context, chan bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, c.cancel = context.WithCancel(ctx)
	c.decision = make(chan bool, 1)
	return ctx, c.decision
}

func (c *control) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel()
	c.cancel, c.decision = nil, nil
}

// Pause lets the rebuild wait, and Resume lets it go on. They return ErrNoJob
// where none is being built.
func (s *Set) Pause(id string) (Job, error) { return s.setPaused(id, true) }

// Resume lets a paused rebuild go on.
func (s *Set) Resume(id string) (Job, error) { return s.setPaused(id, false) }

func (s *Set) setPaused(id string, on bool) (Job, error) {
	if _, err := s.inState(id, Building, Comparing); err != nil {
		return Job{}, err
	}
	s.control.pause(on)
	return s.update(func(j *Job) { j.Paused = on })
}

// Cancel ends a rebuild that has not taken over; what it made is removed.
func (s *Set) Cancel(id string) (Job, error) {
	j, err := s.inState(id, Building, Comparing, Review)
	if err != nil {
		return j, err
	}
	j, err = s.update(func(j *Job) { j.State, j.Paused, j.EndedAt = Cancelled, false, s.o.Now().UTC() })
	s.control.pause(false)
	s.control.mu.Lock()
	if s.control.cancel != nil {
		s.control.cancel()
	}
	s.control.mu.Unlock()
	return j, err
}

// Promote lets a rebuild that waits for review take over.
func (s *Set) Promote(id string) (Job, error) {
	if _, err := s.inState(id, Review); err != nil {
		return Job{}, err
	}
	j, err := s.update(func(j *Job) { j.State = Promoting })
	s.control.mu.Lock()
	if s.control.decision != nil {
		s.control.decision <- true
	}
	s.control.mu.Unlock()
	s.wake()
	return j, err
}

func (s *Set) inState(id string, states ...State) (Job, error) {
	j, err := s.Job(id)
	if err != nil {
		return j, err
	}
	for _, st := range states {
		if j.State == st {
			return j, nil
		}
	}
	return j, fmt.Errorf("%w: rebuild %s is %s", ErrNoJob, j.ID, j.State)
}

// Rollback lets the generation before the serving one take over again, after
// bringing it up to date with the log. It returns ErrNoPrevious, or ErrBusy during a rebuild.
func (s *Set) Rollback(ctx context.Context) (from, to string, err error) {
	s.mu.Lock()
	busy := s.job.State.unfinished()
	c := s.current
	s.mu.Unlock()
	if busy {
		return "", "", ErrBusy
	}
	if c.Previous == "" {
		return "", "", ErrNoPrevious
	}
	s.retired.Wait() // it may still be closing
	g, err := s.open(c.Previous)
	if err != nil {
		return "", "", fmt.Errorf("open the generation before this one: %w", err)
	}
	if err := s.swapTo(ctx, g); err != nil {
		return "", "", errors.Join(err, g.close())
	}
	return c.Serving, c.Previous, nil
}

// swapTo asks Run to let g take over.
func (s *Set) swapTo(ctx context.Context, g *generation) error {
	sw := swap{to: g, done: make(chan error, 1)}
	select {
	case s.swaps <- sw:
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-sw.done
}

// ReportFile is the file with every difference of a rebuild, a JSON object of
// rebuild.Change a line.
func (s *Set) ReportFile(id string) (string, error) {
	if _, err := s.Job(id); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	path := filepath.Join(s.o.Root, reportDir, s.job.ID+".jsonl")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w: rebuild %s has no report yet", ErrNoJob, s.job.ID)
	}
	return path, nil
}
