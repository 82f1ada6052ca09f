package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tidemark-dev/tidemark/eventstore"
)

const (
	// pullBatch and the read-ahead bound one request for messages.
	pullBatch = 16 << 10
	// pullExpires is how long the server keeps a request that it cannot fill.
	pullExpires = 30 * time.Second
	// forgottenAfter is when the server drops a consumer that nobody asks.
	forgottenAfter = 2 * pullExpires
	// earlyPulls is how often the first request may find nobody to answer, and earlyPause lies between: in a
	// cluster, news of a consumer may take another way than the answer that it was made.
	earlyPulls = 20
	earlyPause = 50 * time.Millisecond
	// statusSlots is what the channel holds beside a batch: the server's remarks.
	statusSlots = 16
)

// errFeedOver means that the server will not deliver on this feed any more.
var errFeedOver = errors.New("the server ended the delivery")

// feed is one consumer of the stream, from one position on, as long as nothing goes wrong
// with it; a cursor then opens another. There is at most one request for messages at a
// time, bounded in number and bytes, and the next is made when the last is used up: however
// long the reader stalls, no more than that is on its way.
type feed struct {
	lk       *link
	epoch    uint64
	sub      *nats.Subscription
	messages chan *nats.Msg
	stream   string
	consumer string
	request  []byte

	ready    []*nats.Msg // received, in order; taken from the front
	first    int         // of ready
	pulling  bool        // a request is open
	over     error       // why nothing more will come
	early    bool        // the request was made before the server had heard of the consumer
	patience int         // how often that may be so
	silent   bool        // nothing came since the cursor last looked

	due eventstore.Position // the next it may deliver; those before came already
}

// openFeed makes a consumer that begins at from. It returns an ErrIntegrity if the
// log ends before that, or an external server's is not the one that is known.
func (l *Log) openFeed(ctx context.Context, lk *link, from eventstore.Position) (*feed, error) {
	f := &feed{lk: lk, epoch: lk.epoch.Load(), stream: l.opts.eventsStream(), due: from, patience: earlyPulls}
	f.messages = make(chan *nats.Msg, pullBatch+statusSlots)
	// What can be read of a damaged log is read; but what was read of one log is not followed by another.
	if from > 1 && !l.opts.embedded() {
		if _, err := l.same(ctx, lk); err != nil {
			return nil, err
		}
	}
	info, err := l.streamInfo(ctx, lk)
	if err != nil {
		return nil, outOfReach(ctx, err)
	}
	if head := eventstore.Position(info.State.LastSeq); head+1 < from {
		return nil, headBehind(head, from)
	}
	call, done := context.WithTimeout(ctx, callTimeout)
	defer done()
	consumer, err := lk.js.CreateConsumer(call, f.stream, jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       uint64(from),
		AckPolicy:         jetstream.AckNonePolicy,
		ReplayPolicy:      jetstream.ReplayInstantPolicy,
		InactiveThreshold: forgottenAfter,
		MemoryStorage:     true,
		Replicas:          1,
	})
	if err != nil {
		return nil, outOfReach(ctx, err)
	}
	f.consumer = consumer.CachedInfo().Name
	inbox := lk.nc.NewInbox()
	if f.sub, err = lk.nc.ChanSubscribe(inbox, f.messages); err != nil {
		return nil, outOfReach(ctx, err)
	}
	// A message that exceeds the request's bytes would never be delivered.
	bytes := max(l.opts.ReadAhead, lk.maxMessage+2*headerReserve)
	f.request = fmt.Appendf(nil, `{"expires":%d,"batch":%d,"max_bytes":%d}`, pullExpires, pullBatch, bytes)
	return f, nil
}

func headBehind(head, next eventstore.Position) error {
	return fmt.Errorf("%w: the head of the log is at position %d, behind %d which was already read", eventstore.ErrIntegrity, head, next-1)
}

// lost says whether the connection broke since the feed was opened: what was on its way is gone.
func (f *feed) lost() bool { return f.over != nil || f.lk.epoch.Load() != f.epoch }

// take returns the next message that is here, nil if none is.
func (f *feed) take() *nats.Msg {
	if f.first == len(f.ready) {
		f.gather()
	}
	if f.first == len(f.ready) {
		return nil
	}
	m := f.ready[f.first]
	f.ready[f.first] = nil
	f.first++
	return m
}

// gather moves what the connection has received to ready.
func (f *feed) gather() {
	if f.first == len(f.ready) {
		f.ready, f.first = f.ready[:0], 0
	}
	for {
		select {
		case m := <-f.messages:
			f.receive(m)
		default:
			return
		}
	}
}

// receive keeps a message of the stream, and takes note of a remark of the server.
func (f *feed) receive(m *nats.Msg) {
	f.silent = false
	status := ""
	if len(m.Data) == 0 {
		status = m.Header.Get("Status")
	}
	if status == "503" && f.patience > 0 {
		f.patience--
		f.pulling, f.early = false, true
		return
	}
	f.patience = 0
	switch status {
	case "":
		f.ready = append(f.ready, m)
	case "408", "404": // the request has expired
		f.pulling = false
	case "409":
		// Most of these end the request because it is used up. Others end the consumer.
		f.pulling = false
		switch m.Header.Get("Description") {
		case "Batch Completed", "Message Size Exceeds MaxBytes":
		default:
			f.over = fmt.Errorf("%w: %s", errFeedOver, m.Header.Get("Description"))
		}
	case "100":
	default: // 503: the consumer is gone
		f.over = fmt.Errorf("%w: status %s %s", errFeedOver, status, m.Header.Get("Description"))
	}
}

// place returns the message's position. It is an ErrIntegrity if the server delivers it
// again, or before one that it delivered.
func (f *feed) place(m *nats.Msg) (eventstore.Position, error) {
	meta, err := m.Metadata()
	if err != nil {
		f.over = errFeedOver
		return 0, fmt.Errorf("%w: a message without a position: %w", eventstore.ErrUnavailable, err)
	}
	p := eventstore.Position(meta.Sequence.Stream)
	if p < f.due {
		return 0, fmt.Errorf("%w: position %d was delivered again", eventstore.ErrIntegrity, p)
	}
	f.due = p + 1
	return p, nil
}

// pull asks for more if nothing is asked for and all that came was taken.
func (f *feed) pull() error {
	if f.pulling || f.first < len(f.ready) {
		return nil
	}
	f.pulling = true
	return f.lk.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+f.stream+"."+f.consumer, f.sub.Subject, f.request)
}

// waiting returns how many messages of the stream are here.
func (f *feed) waiting() int {
	f.gather()
	return len(f.ready) - f.first
}

// close stops the delivery. The consumer is taken away without waiting for it.
func (f *feed) close() {
	_ = f.sub.Unsubscribe() // it fails only if the connection is closed, which does the same
	_ = f.lk.nc.Publish("$JS.API.CONSUMER.DELETE."+f.stream+"."+f.consumer, nil)
}
