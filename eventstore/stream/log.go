package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// Log is the log of record in one JetStream stream. It is an eventstore.Appender
// and an eventstore.Reader, safe for concurrent use.
//
// Open it, keep Run going, and Close it after Run has returned. Appends wait for Run; reading
// works without it.
type Log struct {
	opts     Options
	dir      *directory // nil for an external server
	disk     *disk      // nil for an external server
	maxStore int64      // 0: whatever the external server allows

	link    atomic.Pointer[link] // nil while the embedded server restarts, and once closed
	changed signal               // fires when the connection goes down, comes up, or is replaced
	life    sync.Mutex           // held while the link is replaced or closed
	ended   atomic.Bool          // Close was called
	running atomic.Bool

	queue    *queue
	requests sync.Pool
	encoding sync.Mutex // held while events are read into a message

	health     health
	metrics    *metrics
	durability atomic.Pointer[eventstore.Durability]
	survey     atomic.Pointer[Stats]  // the last look at the stream
	amiss      atomic.Pointer[string] // what it found to be the matter with copies
	head       atomic.Pointer[head]   // the last group that was acknowledged
	tail       tail                   // the last messages that were
	saved      *head                  // as the file has it; tend's, and then Close's
	synced     bool                   // and whether that is on disk
	mender     mender

	looking sync.Mutex             // held while one look is under way
	looked  atomic.Pointer[looked] // the last one
}

var (
	_ eventstore.Appender = (*Log)(nil)
	_ eventstore.Reader   = (*Log)(nil)
)

// Open starts the embedded server, or connects to the external one, and sees that the streams
// are there: created if absent, refused if their configuration could lose an event. It
// starts no goroutine of its own. An ErrUnavailable means that the server cannot be
// reached; an ErrIntegrity that the stream was here and is gone.
func Open(ctx context.Context, opts Options) (*Log, error) {
	if err := opts.Validate(); err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	l := &Log{opts: opts.withDefaults(), maxStore: opts.MaxStore}
	l.tail.most = l.opts.Tail
	l.queue = newQueue(l.opts.MaxWaiting, l.opts.MaxWaitingBytes)
	if err := l.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("log: %w", err), l.Close())
	}
	return l, nil
}

func (l *Log) open(ctx context.Context) (err error) {
	if l.opts.embedded() {
		if l.dir, err = openDirectory(l.opts.Dir); err != nil {
			return err
		}
		var total int64
		if l.disk, total, err = openDisk(l.opts.Dir, l.opts.LowWater, l.opts.Now); err != nil {
			return err
		}
		if l.maxStore == 0 {
			l.maxStore = total
		}
	}
	lk, err := l.connect(ctx, true)
	if err != nil {
		return err
	}
	l.link.Store(lk)
	l.awaitCopies(ctx, lk)
	if err := l.look(ctx); err != nil {
		return err
	}
	l.metrics, err = newMetrics(l)
	return err
}

// Run commits what is appended, and tends to the server, until ctx ends; it then commits what
// still waits and returns nil. Appends from then on are ErrClosed. It returns an error
// when the log cannot go on: an ErrIntegrity when the disk failed a write or the stream is gone.
func (l *Log) Run(ctx context.Context) error {
	if !l.running.CompareAndSwap(false, true) {
		return errors.New("log: Run is going already")
	}
	defer l.running.Store(false)
	group, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, l.queue.close)()
	tending, drained := context.WithCancel(ctx)
	group.Go(func() error { return l.tend(tending) })
	group.Go(func() error {
		defer drained()
		newCommitter(l).run()
		return nil
	})
	if err := group.Wait(); err != nil {
		return fmt.Errorf("log: %w", err)
	}
	return nil
}

// Close ends the connection, every cursor, and the embedded server; nothing that was
// acknowledged depends on it. What still waits to be stored fails.
func (l *Log) Close() error {
	l.life.Lock()
	defer l.life.Unlock()
	if l.ended.Swap(true) {
		return nil
	}
	l.queue.close()
	lk := l.link.Swap(nil)
	if lk != nil {
		lk.close()
	}
	l.changed.fire()
	l.metrics.unregister()
	if l.dir == nil {
		return nil
	}
	err := l.saveHead(true)
	if lk != nil && lk.server.log.writeError() == nil {
		err = errors.Join(err, l.dir.seal(l.opts.messages()))
	}
	return errors.Join(err, l.dir.close())
}

func (l *Log) closed() bool { return l.ended.Load() || l.queue.isClosed() }

// MaxMessage returns the size in bytes of the largest group the server takes. An event
// whose EncodedSize and the GroupOverhead are more is an ErrTooLarge.
func (l *Log) MaxMessage() int {
	if lk := l.link.Load(); lk != nil {
		return lk.maxMessage
	}
	return embeddedPayload - headerReserve
}

// current returns the connection to read from, or why there is none.
func (l *Log) current() (*link, error) {
	lk := l.link.Load()
	switch {
	case l.ended.Load():
		return nil, eventstore.ErrClosed
	case lk == nil || !lk.up.Load():
		return nil, lk.unlinked()
	}
	return lk, nil
}
