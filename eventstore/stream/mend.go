package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
)

const (
	// tendInterval is how often the server is looked at.
	tendInterval = 250 * time.Millisecond
	// headInterval is how often the head is written down.
	headInterval = time.Second
	// stuckAfter is how long publishes may fail, with no reason known, until the embedded
	// server is restarted.
	stuckAfter = 30 * time.Second
	// firstRestartPause doubles with each restart up to longestRestartPause, and begins anew when
	// one has held for that long.
	firstRestartPause   = time.Second
	longestRestartPause = 5 * time.Minute
)

// mender spaces restarts of the embedded server.
type mender struct {
	restarts int
	pause    time.Duration
	last     time.Time // the last restart, tried or done
}

// tend looks after the server until ctx ends: it restarts an embedded one that stopped
// writing, probes when nothing is published, and takes note of what the stream holds. It
// returns an error when the log cannot go on.
func (l *Log) tend(ctx context.Context) error {
	tick := time.NewTicker(tendInterval)
	defer tick.Stop()
	var looked, saved time.Time
	for {
		if l.opts.embedded() {
			if err := l.mend(ctx); err != nil {
				return err
			}
		}
		l.lookIdle(ctx)
		l.probe(ctx)
		if now := l.opts.Now(); now.Sub(saved) >= headInterval {
			saved = now
			if err := l.saveHead(false); err != nil {
				l.opts.Logger.Warn("the head of the log is not remembered", slog.Any("error", err))
			}
		}
		if now := l.opts.Now(); now.Sub(looked) >= l.opts.ProbeAfter {
			if err := l.look(ctx); err == nil {
				looked = now
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// mend restarts the embedded server if it needs it and the time has come.
func (l *Log) mend(ctx context.Context) error {
	reason, err := l.broken()
	if reason == nil || err != nil {
		return err
	}
	now := l.opts.Now()
	m := &l.mender
	switch since := now.Sub(m.last); {
	case m.restarts == 0 || since >= longestRestartPause+m.pause:
		m.pause = firstRestartPause
	case since < m.pause:
		return nil
	default:
		m.pause = min(2*m.pause, longestRestartPause)
	}
	m.restarts, m.last = m.restarts+1, now
	l.opts.Logger.Warn("restarting the embedded server", slog.Any("reason", reason))
	l.metrics.restarts.Inc()
	if err := l.restart(ctx); err != nil {
		if errors.Is(err, eventstore.ErrIntegrity) {
			return err
		}
		l.opts.Logger.Error("the embedded server did not restart", slog.Any("error", err), slog.Any("again_in", m.pause))
		return nil
	}
	l.opts.Logger.Info("the embedded server is back")
	return nil
}

// broken says why the embedded server has to be restarted, nil if it has not, or not yet. It
// returns an error after a failed write that is more than a full disk: what was written
// before it may not be on the disk, and a restart in place would read it back from memory as
// if it were.
func (l *Log) broken() (reason, err error) {
	lk := l.link.Load()
	if lk == nil {
		if l.ended.Load() {
			return nil, nil
		}
		return errors.New("the last restart failed"), nil
	}
	if err := lk.server.log.writeError(); err != nil {
		if !isFull(err) {
			return nil, fmt.Errorf("%w: the disk failed a write of the log, see to it before a restart: %w", eventstore.ErrIntegrity, err)
		}
		if !l.disk.roomy() {
			return nil, nil
		}
		return fmt.Errorf("the disk was full and has space again: %w", err), nil
	}
	if !lk.server.alive() {
		return errors.New("it has stopped"), nil
	}
	if _, failing, err := l.health.last(); !failing.IsZero() && l.opts.Now().Sub(failing) > stuckAfter && l.disk.low() == nil {
		return fmt.Errorf("publishes fail for no known reason: %w", err), nil
	}
	return nil, nil
}

// restart replaces the embedded server and the connection to it. Meanwhile appends are
// ErrUnavailable; a group under way goes out again under its id; cursors go on.
func (l *Log) restart(ctx context.Context) error {
	l.life.Lock()
	defer l.life.Unlock()
	if l.ended.Load() {
		return nil
	}
	if old := l.link.Swap(nil); old != nil {
		l.changed.fire()
		old.close()
	}
	lk, err := l.connect(ctx, false)
	if err != nil {
		return err
	}
	l.health.forget()
	l.link.Store(lk)
	l.changed.fire()
	return nil
}
