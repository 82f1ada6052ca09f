package stream

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// errNoAck means that the time of an attempt passed without an answer.
var errNoAck = errors.New("the server does not answer")

// attempt publishes the message once and waits for its acknowledgement: that of
// this attempt or of an earlier one under the same id.
func (c *committer) attempt(lk *link, m *nats.Msg, id string, changed <-chan struct{}, wait time.Duration) (eventstore.Position, error) {
	m.Reply = lk.replySubject(id)
	if err := lk.nc.PublishMsg(m); err != nil {
		return 0, err
	}
	c.timer.Reset(wait)
	defer c.timer.Stop()
	for {
		select {
		case ack := <-lk.acks:
			if lk.isReplyTo(ack, id) {
				return readAck(ack, c.log.opts.eventsStream())
			}
		case <-changed:
			return 0, errUnlinked
		case <-c.timer.C:
			return 0, errNoAck
		}
	}
}

// acknowledgement is JetStream's answer to a publish. A repeated publish is answered with the
// place of the first (and "duplicate"), which is as good.
type acknowledgement struct {
	Stream string   `json:"stream"`
	Seq    uint64   `json:"seq"`
	Error  *refusal `json:"error"`
}

// refusal is an error of the server: the message was not stored by this attempt.
type refusal struct {
	Code        int    `json:"code"`
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

// Error returns the server's words.
func (r *refusal) Error() string {
	return fmt.Sprintf("the server refuses: %s (%d)", r.Description, r.ErrCode)
}

// final says whether a repetition would be refused as well: a limit is reached. Anything else
// passes, such as an election.
func (r *refusal) final() bool {
	switch r.ErrCode {
	case 10002, // the account's resources are used up
		10023, // the server's are
		10047, // the storage's are
		10054, // the message exceeds the stream's maximum
		10077: // the stream is full
		return true
	}
	return false
}

// elsewhere says whether the log does not end where the publish took it to.
func (r *refusal) elsewhere() bool { return r.ErrCode == 10071 || r.ErrCode == 10164 }

// readAck returns the position that an acknowledgement gives.
func readAck(m *nats.Msg, stream string) (eventstore.Position, error) {
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return 0, errors.New("the stream is not there to answer")
	}
	var ack acknowledgement
	if err := json.Unmarshal(m.Data, &ack); err != nil {
		return 0, fmt.Errorf("unreadable acknowledgement: %w", err)
	}
	switch {
	case ack.Error != nil:
		return 0, ack.Error
	case ack.Seq == 0 || ack.Stream != stream:
		return 0, fmt.Errorf("the acknowledgement is of stream %q at position %d", ack.Stream, ack.Seq)
	}
	return eventstore.Position(ack.Seq), nil
}
