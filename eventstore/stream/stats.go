package stream

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// Stats is what the log holds and how it fares.
type Stats struct {
	// Head is the position of the last group, Groups how many the server can read. They
	// differ by Missing, which is damage.
	Head    eventstore.Position
	Groups  uint64
	Missing uint64
	// Bytes is what the stream takes in the server's store, MaxBytes its limit (-1: none).
	Bytes    uint64
	MaxBytes int64
	// Copies is how many servers keep the stream and are up.
	Copies int
	// Waiting and WaitingBytes are the events that no message holds yet.
	Waiting, WaitingBytes int
	// DiskFree is the space left under the embedded server in bytes, -1 for an external one.
	DiskFree int64
}

// Stats asks the server. It returns an ErrUnavailable when that is out of reach.
func (l *Log) Stats(ctx context.Context) (Stats, error) {
	lk, err := l.current()
	if err != nil {
		return Stats{}, fmt.Errorf("state of the log: %w", err)
	}
	info, err := l.streamInfo(ctx, lk)
	if err != nil {
		return Stats{}, fmt.Errorf("state of the log: %w", outOfReach(ctx, err))
	}
	return l.stats(info), nil
}

func (l *Log) stats(info *jetstream.StreamInfo) Stats {
	s := Stats{
		Head:     eventstore.Position(info.State.LastSeq),
		Groups:   info.State.Msgs,
		Missing:  missing(info.State),
		Bytes:    info.State.Bytes,
		MaxBytes: info.Config.MaxBytes,
		DiskFree: -1,
	}
	s.Copies, _ = copies(info)
	s.Waiting, s.WaitingBytes = l.queue.size()
	if l.disk != nil {
		l.disk.refresh()
		s.DiskFree = l.disk.free.Load()
	}
	return s
}

// look takes note of the stream's state and durability, for the metrics and Durability.
func (l *Log) look(ctx context.Context) error {
	lk, err := l.current()
	if err != nil {
		return err
	}
	info, err := l.streamInfo(ctx, lk)
	if err != nil {
		return outOfReach(ctx, err)
	}
	s, d := l.stats(info), l.readDurability(ctx, lk, info)
	l.tellCopies(info)
	l.survey.Store(&s)
	l.durability.Store(&d)
	return nil
}
