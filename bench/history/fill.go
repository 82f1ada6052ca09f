package history

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"

	"github.com/tidemark-dev/tidemark/bench/bare"
	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
)

const (
	fillTimeout = 30 * time.Minute
	// inFlight is how many messages wait for their acknowledgement.
	inFlight = 4 << 10
)

// fill writes the log. Tidemark makes the stream, with the settings it has there; the messages,
// byte for byte what Tidemark writes, are published as fast as the server takes them and
// without an fsync each.
func (s Spec) fill() error {
	ctx, cancel := context.WithTimeout(context.Background(), fillTimeout)
	defer cancel()
	log, err := stream.Open(ctx, stream.Options{Dir: s.Log(), NoSync: true, Now: time.Now})
	if err != nil {
		return err
	}
	if err := log.Close(); err != nil {
		return err
	}
	srv, err := bare.Serve(s.Log(), false)
	if err != nil {
		return err
	}
	defer unix.Sync() // nothing is left to be written while something is measured
	defer srv.Stop()
	conn, err := srv.Connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn, jetstream.WithPublishAsyncMaxPending(inFlight))
	if err != nil {
		return err
	}
	if err := shortMemory(ctx, js); err != nil {
		return err
	}
	return s.publish(ctx, js)
}

// shortMemory has the server forget the ids of messages soon: at this rate they would take
// a gigabyte. Tidemark sets its own window again when it opens the log.
func shortMemory(ctx context.Context, js jetstream.JetStream) error {
	found, err := js.Stream(ctx, bare.Stream)
	if err != nil {
		return err
	}
	config := found.CachedInfo().Config
	config.Duplicates = time.Second
	_, err = js.UpdateStream(ctx, config)
	return err
}

func (s Spec) publish(ctx context.Context, js jetstream.JetStream) error {
	m := newMaker(s)
	events := make([]eventstore.Event, 0, s.Group)
	var last jetstream.PubAckFuture
	positions := uint64(0)
	for left := s.Events; left > 0; left -= len(events) {
		events = events[:0]
		for range min(left, s.Group) {
			events = append(events, m.next())
		}
		id := events[0].ID
		message, err := eventstore.AppendGroup(nil, id, events)
		if err != nil {
			return err
		}
		last, err = js.PublishMsgAsync(&nats.Msg{Subject: bare.Subject, Data: message, Header: nats.Header{nats.MsgIdHdr: {id.String()}}})
		if err != nil {
			return err
		}
		positions++
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case ack := <-last.Ok():
		if ack.Sequence != positions {
			return fmt.Errorf("the log ends at position %d, not %d", ack.Sequence, positions)
		}
		return nil
	case err := <-last.Err():
		return err
	default:
		return errors.New("the last message was not acknowledged")
	}
}
