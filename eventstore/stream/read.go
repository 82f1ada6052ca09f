package stream

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// noMessage is JetStream's code for a position that holds nothing, or nothing readable.
const noMessage = 10037

// Head returns the position of the last group. See eventstore.Reader.
func (l *Log) Head(ctx context.Context) (eventstore.Position, error) {
	lk, err := l.current()
	if err != nil {
		return 0, fmt.Errorf("head of the log: %w", err)
	}
	info, err := l.streamInfo(ctx, lk)
	if err != nil {
		return 0, fmt.Errorf("head of the log: %w", outOfReach(ctx, err))
	}
	return eventstore.Position(info.State.LastSeq), nil
}

// At returns the group at one position. See eventstore.Reader. It is ErrNotFound also for
// a message whose damage the server itself has noticed: a position up to the head that is not
// found is a hole in the log.
func (l *Log) At(ctx context.Context, p eventstore.Position) (eventstore.Group, error) {
	g, err := l.at(ctx, p)
	if err != nil {
		return eventstore.Group{}, fmt.Errorf("position %d: %w", p, err)
	}
	return g, nil
}

func (l *Log) at(ctx context.Context, p eventstore.Position) (eventstore.Group, error) {
	if p == 0 {
		return eventstore.Group{}, eventstore.ErrNotFound
	}
	lk, err := l.current()
	if err != nil {
		return eventstore.Group{}, err
	}
	return l.groupAt(ctx, lk, p)
}

// groupAt is at on one connection.
func (l *Log) groupAt(ctx context.Context, lk *link, p eventstore.Position) (g eventstore.Group, err error) {
	m, err := l.message(ctx, lk, p)
	if err != nil {
		return g, err
	}
	if m.Seq != uint64(p) || m.Subject != l.opts.eventsSubject() {
		return g, fmt.Errorf("%w: the server gave position %d, subject %q", eventstore.ErrIntegrity, m.Seq, m.Subject)
	}
	var d eventstore.Decoder
	err = d.Decode(m.Data, &g)
	g.Position = p
	return g, err
}

// storedMessage is a message as the server gives it out by position.
type storedMessage struct {
	Subject string `json:"subject"`
	Seq     uint64 `json:"seq"`
	Data    []byte `json:"data"`
}

// message asks the stream's leader for one message. A direct get would be cheaper, but any
// replica may answer it, and one that lags would make a hole where there is none.
func (l *Log) message(ctx context.Context, lk *link, p eventstore.Position) (storedMessage, error) {
	call, done := context.WithTimeout(ctx, callTimeout)
	defer done()
	answer, err := lk.nc.RequestWithContext(call, "$JS.API.STREAM.MSG.GET."+l.opts.eventsStream(), fmt.Appendf(nil, `{"seq":%d}`, p))
	if err != nil {
		return storedMessage{}, outOfReach(ctx, err)
	}
	var got struct {
		Message storedMessage `json:"message"`
		Error   *refusal      `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &got); err != nil {
		return storedMessage{}, outOfReach(ctx, err)
	}
	switch {
	case got.Error != nil && got.Error.ErrCode == noMessage:
		return storedMessage{}, eventstore.ErrNotFound
	case got.Error != nil:
		return storedMessage{}, outOfReach(ctx, got.Error)
	}
	return got.Message, nil
}

// outOfReach is ctx's own error, or an ErrUnavailable.
func outOfReach(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", eventstore.ErrUnavailable, err)
}
