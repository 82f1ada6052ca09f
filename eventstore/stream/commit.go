package stream

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/eventstore"
)

const (
	// keptBuffer is the largest message buffer that is kept for the next group.
	keptBuffer = 2 * mib
	// leastAttempt is the time a request has to have left for a publish to be worth trying,
	// as a fraction of the append timeout.
	leastAttempt = 20
)

// committer turns what waits into messages, one at a time. It belongs to one goroutine.
type committer struct {
	log     *Log
	entropy *ulid.MonotonicEntropy
	timer   *time.Timer // of one attempt to publish

	group   []*request         // taken from the queue
	live    []*request         // those of them that are in the message
	events  []eventstore.Event // of the live ones, while they are encoded
	message []byte
}

func newCommitter(l *Log) *committer {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return &committer{log: l, entropy: ulid.Monotonic(rand.Reader, 0), timer: timer}
}

// run commits group after group until the queue is closed and empty.
func (c *committer) run() {
	q, o := c.log.queue, &c.log.opts
	for {
		c.group = q.take(c.group[:0], o.MaxGroupEvents, min(o.MaxGroupBytes, c.log.MaxMessage()))
		if len(c.group) == 0 {
			if q.finished() {
				return
			}
			<-q.wake
			continue
		}
		c.commit()
		// Those that just got their answer come back in a moment, if they have more: let them run
		// first, or the next group would hold only the first of them.
		runtime.Gosched()
	}
}

// commit writes one group and answers all that are in it.
func (c *committer) commit() {
	start := c.log.opts.Now()
	id, err := ulid.New(ulid.Timestamp(start), c.entropy)
	if err != nil {
		c.entropy = ulid.Monotonic(rand.Reader, 0) // used up within a millisecond: draw anew
		id, err = ulid.New(ulid.Timestamp(start), c.entropy)
	}
	if err == nil {
		err = c.encode(id, start)
	}
	var position eventstore.Position
	if err == nil && len(c.live) > 0 {
		position, err = c.publish(id.String(), c.live[0].until)
		c.log.published(start, len(c.live), len(c.message), err)
		if err == nil {
			c.log.noteHead(position, id)
		}
	}
	for i, r := range c.live {
		r.done <- result{eventstore.Receipt{Position: position, Index: i}, err}
	}
	clear(c.group)
	clear(c.live)
	if cap(c.message) > keptBuffer {
		c.message = nil
	}
}

// encode writes the group's message from the requests that still wait for it. Whoever has
// too little time left for a publish is told so now, when it is certain that the
// event is not stored.
func (c *committer) encode(id ulid.ULID, now time.Time) (err error) {
	c.log.encoding.Lock()
	defer c.log.encoding.Unlock()
	c.live, c.events = c.live[:0], c.events[:0]
	for _, r := range c.group {
		switch {
		case r.abandoned:
		case r.until.Sub(now) < c.log.opts.AppendTimeout/leastAttempt:
			r.done <- result{err: fmt.Errorf("%w: waited too long for its turn", eventstore.ErrUnavailable)}
		default:
			c.live = append(c.live, r)
			c.events = append(c.events, r.event)
		}
	}
	if len(c.live) > 0 {
		c.message, err = eventstore.AppendGroup(c.message[:0], id, c.events)
	}
	clear(c.events)
	return err
}

// publish sends the message until it is acknowledged, under one id, so that it is stored once
// however often it is sent. It gives up at until; the outcome is then unknown.
func (c *committer) publish(id string, until time.Time) (eventstore.Position, error) {
	l := c.log
	m := &nats.Msg{Subject: l.opts.eventsSubject(), Data: c.message, Header: nats.Header{nats.MsgIdHdr: {id}}}
	last := errUnlinked
	for {
		left := until.Sub(l.opts.Now())
		if left <= 0 {
			return 0, fmt.Errorf("%w: not acknowledged in time, it may still be stored: %w", eventstore.ErrUnavailable, last)
		}
		changed := l.changed.wait()
		lk := l.link.Load()
		if lk == nil || !lk.up.Load() {
			if l.queue.isClosed() {
				return 0, fmt.Errorf("%w: shutting down: %w", eventstore.ErrUnavailable, last)
			}
			c.pause(changed, left)
			continue
		}
		position, err := c.publishBehind(lk, m, id, changed, left)
		if err == nil {
			return position, nil
		}
		last = err
		var refused *refusal
		switch {
		case errors.Is(err, eventstore.ErrIntegrity), errors.As(err, &refused) && refused.final():
			return 0, fmt.Errorf("%w: %w", eventstore.ErrUnavailable, err)
		case errors.As(err, &refused) && refused.elsewhere():
			l.looked.Store(nil) // somebody else wrote, or what was given up came in after all: look again, at once
		case !errors.Is(err, errNoAck):
			c.pause(changed, min(left, retryPause))
		}
	}
}

// publishBehind makes one attempt, on a stream that was seen to be the log. An external server is told where
// the log ends and refuses if that is not so: it may have become another one behind the connection.
func (c *committer) publishBehind(lk *link, m *nats.Msg, id string, changed <-chan struct{}, left time.Duration) (eventstore.Position, error) {
	l := c.log
	ctx, done := context.WithTimeout(context.Background(), left)
	defer done()
	k, err := l.same(ctx, lk)
	if err != nil {
		return 0, err
	}
	if !l.opts.embedded() {
		m.Header[nats.ExpectedLastSeqHdr] = []string{strconv.FormatUint(k.head.Load(), 10)}
	}
	position, err := c.attempt(lk, m, id, changed, min(left, l.opts.AckWait))
	if err != nil {
		return 0, err
	}
	if uint64(position) > k.head.Load() { // one that was stored earlier may lie before
		k.head.Store(uint64(position))
	}
	l.tail.put(k, position, m.Data)
	return position, nil
}

// retryPause lies between attempts that failed at once.
const retryPause = 50 * time.Millisecond

// pause waits for a change of the connection, at most for d.
func (c *committer) pause(changed <-chan struct{}, d time.Duration) {
	c.timer.Reset(d)
	defer c.timer.Stop()
	select {
	case <-changed:
	case <-c.timer.C:
	}
}
