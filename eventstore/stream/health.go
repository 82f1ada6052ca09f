package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// staleAfter is how many times ProbeAfter the last outcome may be old.
const staleAfter = 3

// health is what became of the last publish, or of the probe that took its place.
type health struct {
	mu      sync.Mutex
	at      time.Time // of the last outcome; zero: none yet
	err     error     // nil: it was stored
	failing time.Time // the first failure since the last success; zero: none
}

// record notes an outcome, and says whether it is the first failure since a success.
func (h *health) record(at time.Time, err error) (turned bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at, h.err = at, err
	switch {
	case err == nil:
		h.failing = time.Time{}
	case h.failing.IsZero():
		h.failing = at
		return true
	}
	return false
}

// forget makes health unknown: the server is another one.
func (h *health) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at, h.err, h.failing = time.Time{}, nil, time.Time{}
}

// last returns the last outcome and since when publishes fail.
func (h *health) last() (at, failing time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at, h.failing, h.err
}

// Health says whether an event could be stored now, judged by what became of the last publish,
// or of a probe if there was none for a while. nil: yes. Otherwise an ErrUnavailable (or one
// that wraps it) with the reason.
func (l *Log) Health() error {
	if l.closed() {
		return eventstore.ErrClosed
	}
	if !l.running.Load() {
		return fmt.Errorf("%w: nothing commits (Run is not going)", eventstore.ErrUnavailable)
	}
	if l.disk != nil {
		if err := l.disk.low(); err != nil {
			return err
		}
	}
	lk, err := l.current()
	if err != nil {
		return err
	}
	if err := lk.stopped(); err != nil {
		return err
	}
	if err := l.unknown(lk); err != nil {
		return err
	}
	at, _, err := l.health.last()
	switch age := l.opts.Now().Sub(at); {
	case at.IsZero():
		return fmt.Errorf("%w: no publish was tried yet", eventstore.ErrUnavailable)
	case err != nil:
		return fmt.Errorf("%w: the last publish failed: %w", eventstore.ErrUnavailable, err)
	case age > staleAfter*l.opts.ProbeAfter:
		return fmt.Errorf("%w: the last publish was %s ago", eventstore.ErrUnavailable, age.Round(time.Second))
	}
	return nil
}

// probeTimeout bounds a probe, and is the time between two while they fail.
const probeTimeout = 2 * time.Second

// probe publishes to its own stream when nothing was published for a while.
func (l *Log) probe(ctx context.Context) {
	lk, err := l.current()
	if err != nil || l.disk != nil && l.disk.low() != nil {
		return
	}
	at, _, _ := l.health.last()
	if l.opts.Now().Sub(at) < l.opts.ProbeAfter && !at.IsZero() {
		return
	}
	ctx, done := context.WithTimeout(ctx, probeTimeout)
	defer done()
	_, err = lk.js.Publish(ctx, l.opts.probeSubject(), []byte("probe"))
	if errors.Is(err, context.Canceled) {
		return
	}
	if err != nil {
		err = fmt.Errorf("probe: %w", err)
	}
	if l.health.record(l.opts.Now(), err) {
		l.opts.Logger.Warn("the log does not take a publish", slog.Any("error", err))
	}
}
