package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// callTimeout bounds one request to JetStream's API.
const callTimeout = 3 * time.Second

// eventsConfig is the stream of the log: one subject, kept for ever, refusing rather than
// dropping when it is full, and no way to delete from it.
func (o Options) eventsConfig(maxBytes int64) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              o.eventsStream(),
		Description:       "Tidemark's log of record. What is taken out of it is lost.",
		Subjects:          []string{o.eventsSubject()},
		Storage:           jetstream.FileStorage,
		Retention:         jetstream.LimitsPolicy,
		Discard:           jetstream.DiscardNew,
		MaxMsgs:           -1,
		MaxMsgsPerSubject: -1,
		MaxBytes:          maxBytes,
		MaxMsgSize:        -1,
		MaxConsumers:      -1,
		Replicas:          max(o.Replicas, 1),
		Duplicates:        duplicates,
		DenyDelete:        true,
		DenyPurge:         true,
		Compression:       jetstream.NoCompression,
	}
}

// probeConfig is a stream that keeps one message: what a probe publishes to.
func (o Options) probeConfig(replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        o.probeStream(),
		Description: "Tidemark publishes here to see whether publishing works.",
		Subjects:    []string{o.probeSubject()},
		Storage:     jetstream.FileStorage,
		Discard:     jetstream.DiscardOld,
		MaxMsgs:     1,
		MaxBytes:    probeStore,
		Replicas:    replicas,
	}
}

// unsafe lists what in an existing stream's configuration could lose an event or
// acknowledge one that is not stored.
func unsafe(c, want jetstream.StreamConfig) []string {
	var found []string
	reject := func(bad bool, format string, args ...any) {
		if bad {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	reject(len(c.Subjects) != 1 || c.Subjects[0] != want.Subjects[0], "its subjects are %q, not %q", c.Subjects, want.Subjects)
	reject(c.Storage != jetstream.FileStorage, "it is kept in memory")
	reject(c.Retention != jetstream.LimitsPolicy, "its retention is %s, not limits", c.Retention)
	reject(c.Discard != jetstream.DiscardNew, "it discards old messages when it is full")
	reject(c.MaxAge > 0, "its messages expire after %s", c.MaxAge)
	reject(c.MaxMsgs > 0, "it keeps at most %d messages", c.MaxMsgs)
	reject(c.MaxMsgsPerSubject > 0, "it keeps at most %d messages a subject", c.MaxMsgsPerSubject)
	reject(!c.DenyDelete, "it allows deletes")
	reject(!c.DenyPurge, "it allows purges")
	reject(c.AllowRollup, "it allows roll-ups")
	reject(c.AllowMsgTTL, "it allows messages that expire")
	reject(c.NoAck, "it does not acknowledge")
	reject(c.PersistMode == jetstream.AsyncPersistMode, "it acknowledges before it has written")
	reject(c.Sealed, "it is sealed")
	reject(c.Mirror != nil || len(c.Sources) > 0, "it copies other streams")
	reject(c.SubjectTransform != nil, "it changes subjects")
	reject(c.FirstSeq > 1, "it begins at position %d", c.FirstSeq)
	return found
}

// prepare sees that both streams are there and that the log's is safe. first allows
// them to be created.
func (l *Log) prepare(ctx context.Context, lk *link, first bool) error {
	info, err := l.streamInfo(ctx, lk)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if err := l.mayCreate(first); err != nil {
			return err
		}
		info, err = l.create(ctx, lk)
	}
	if err != nil {
		return fmt.Errorf("%w: stream %s: %w", eventstore.ErrUnavailable, l.opts.eventsStream(), err)
	}
	if info, err = l.adjust(ctx, lk, info); err != nil {
		return err
	}
	if n := int(info.Config.MaxMsgSize); n > 0 {
		lk.maxMessage = min(lk.maxMessage, n-headerReserve)
	}
	if lost := missing(info.State); lost > 0 {
		l.opts.Logger.Error("the log lacks messages: its files are damaged", slog.Any("stream", info.Config.Name),
			slog.Any("missing", lost), slog.Any("messages", info.State.Msgs), slog.Any("head", info.State.LastSeq))
	}
	return l.prepareProbe(ctx, lk, info.Config.Replicas)
}

// prepareProbe creates the probe's stream if it is absent, with as many copies as the log has: where
// that can be stored, a probe can. One that exists is otherwise left as it is: even a change to the same writes
// to the disk, which may be full.
func (l *Log) prepareProbe(ctx context.Context, lk *link, replicas int) error {
	ctx, done := context.WithTimeout(ctx, callTimeout)
	defer done()
	want := l.opts.probeConfig(replicas)
	s, err := lk.js.Stream(ctx, want.Name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		_, err = lk.js.CreateStream(ctx, want)
	case err == nil && s.CachedInfo().Config.Replicas != replicas:
		_, err = lk.js.UpdateStream(ctx, want)
	}
	if err != nil {
		return fmt.Errorf("%w: stream %s: %w", eventstore.ErrUnavailable, l.opts.probeStream(), err)
	}
	return nil
}

// mayCreate says why an absent stream must not be created.
func (l *Log) mayCreate(first bool) error {
	if !first {
		return fmt.Errorf("%w: stream %s is gone", eventstore.ErrIntegrity, l.opts.eventsStream())
	}
	if l.dir == nil {
		return nil
	}
	if was, err := l.dir.created(); err != nil {
		return err
	} else if was {
		return fmt.Errorf("%w: stream %s was created in this directory and is gone: restore the directory from a backup, or name an empty one to begin a new log",
			eventstore.ErrIntegrity, l.opts.eventsStream())
	}
	return nil
}

// create makes the log's stream and, beside an embedded one, the mark that it was made.
func (l *Log) create(ctx context.Context, lk *link) (*jetstream.StreamInfo, error) {
	ctx, done := context.WithTimeout(ctx, callTimeout)
	defer done()
	s, err := lk.js.CreateStream(ctx, l.opts.eventsConfig(l.wantedBytes()))
	if err != nil {
		return nil, err
	}
	if l.dir != nil {
		if err := l.dir.markCreated(l.opts.eventsStream()); err != nil {
			return nil, err
		}
	}
	return s.CachedInfo(), nil
}

// wantedBytes is the stream's limit: -1 leaves it to the external server.
func (l *Log) wantedBytes() int64 {
	if l.maxStore > 0 {
		return l.maxStore
	}
	return -1
}

// adjust refuses an unsafe stream, and brings a safe one to the options where they ask for
// another limit, window or number of copies.
func (l *Log) adjust(ctx context.Context, lk *link, info *jetstream.StreamInfo) (*jetstream.StreamInfo, error) {
	c := info.Config
	if found := unsafe(c, l.opts.eventsConfig(0)); len(found) > 0 {
		return nil, fmt.Errorf("stream %s exists and is not safe for a log of record: %s; mend it (nats stream edit), or set another prefix",
			c.Name, strings.Join(found, ", "))
	}
	if l.maxStore > 0 {
		c.MaxBytes = l.maxStore
	}
	if l.opts.Replicas > 0 {
		c.Replicas = l.opts.Replicas
	}
	c.Duplicates = duplicates
	same := c.MaxBytes == info.Config.MaxBytes && c.Replicas == info.Config.Replicas && c.Duplicates == info.Config.Duplicates
	if same {
		return info, nil
	}
	if c.MaxBytes > 0 && uint64(c.MaxBytes) < info.State.Bytes {
		return nil, fmt.Errorf("max store is %d bytes, but stream %s holds %d already: raise it", c.MaxBytes, c.Name, info.State.Bytes)
	}
	if c.Replicas != info.Config.Replicas {
		l.opts.Logger.Warn("changing how many copies the cluster keeps of the log", slog.Any("from", info.Config.Replicas), slog.Any("to", c.Replicas))
	}
	ctx, done := context.WithTimeout(ctx, callTimeout)
	defer done()
	s, err := lk.js.UpdateStream(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("%w: stream %s: changing its limits: %w", eventstore.ErrUnavailable, c.Name, err)
	}
	return s.CachedInfo(), nil
}

// streamInfo asks the server for the state of the log's stream.
func (l *Log) streamInfo(ctx context.Context, lk *link) (*jetstream.StreamInfo, error) {
	ctx, done := context.WithTimeout(ctx, callTimeout)
	defer done()
	s, err := lk.js.Stream(ctx, l.opts.eventsStream())
	if err != nil {
		return nil, err
	}
	return s.CachedInfo(), nil
}

// missing is how many messages the server knows to be gone. Nothing is ever deleted,
// so each of them is damage.
func missing(s jetstream.StreamState) uint64 {
	return s.LastSeq - min(s.Msgs, s.LastSeq)
}
