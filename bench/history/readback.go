package history

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/tidemark-dev/tidemark/bench/oracle"
	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// maxSkew is how far an event's own time may lie ahead of its receipt (docs/DESIGN.md).
const maxSkew = 5 * time.Minute

// Open opens the log for reading.
func (s Spec) Open(ctx context.Context) (*stream.Log, error) {
	return stream.Open(ctx, stream.Options{Dir: s.Log(), NoSync: true, Now: time.Now})
}

// Each calls fn for every group of the log in its order.
func Each(ctx context.Context, log eventstore.Reader, fn func(*eventstore.Group) error) (err error) {
	head, err := log.Head(ctx)
	if err != nil {
		return err
	}
	cursor, err := log.Follow(ctx, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cursor.Close()) }()
	for at := eventstore.Position(0); at < head; {
		group, err := cursor.Next(ctx)
		if errors.Is(err, eventstore.ErrIdle) {
			continue
		}
		if err != nil {
			return err
		}
		at = group.Position
		if err := fn(&group); err != nil {
			return err
		}
	}
	return nil
}

// readBack reads the log, has the oracle fold it, and writes the observations if no log
// of the same events did before.
func (s Spec) readBack() (m Made, err error) {
	ctx := context.Background()
	log, err := s.Open(ctx)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	definition, err := providers.Load("makini")
	if err != nil {
		return m, err
	}
	out, end, err := s.observationsFile()
	if err != nil {
		return m, err
	}
	r := reader{mapper: definition.NewMapper(), oracle: oracle.New(), out: bufio.NewWriterSize(out, 1<<20)}
	err = Each(ctx, log, func(g *eventstore.Group) error { m.Positions++; return r.group(g) })
	if err = end(errors.Join(err, r.out.Flush())); err != nil {
		return m, err
	}
	digest := oracle.NewDigest()
	r.oracle.States(func(state *oracle.State) {
		digest.Add(state)
		m.Connections++
		m.Duplicates += int(state.Duplicates)
		m.Late += int(state.Late)
	})
	m.Events, m.States = r.events, digest.String()
	if m.Events != s.Events {
		return m, fmt.Errorf("the log holds %d events, not %d", m.Events, s.Events)
	}
	return m, nil
}

// observationsFile returns where to write the observations, and end, which keeps them
// unless it is given an error, and returns that.
func (s Spec) observationsFile() (out io.Writer, end func(error) error, err error) {
	if _, err := os.Stat(s.Observations()); err == nil {
		return io.Discard, func(failed error) error { return failed }, nil
	}
	file, err := os.CreateTemp(s.corpus(), "observations-*")
	if err != nil {
		return nil, nil, err
	}
	return file, func(failed error) error {
		if failed = errors.Join(failed, file.Chmod(0o644), file.Close()); failed != nil {
			return errors.Join(failed, os.Remove(file.Name()))
		}
		return os.Rename(file.Name(), s.Observations())
	}, nil
}

// reader turns events into observations.
type reader struct {
	mapper *providers.Mapper
	oracle *oracle.Oracle
	out    *bufio.Writer
	line   []byte
	events int
}

func (r *reader) group(g *eventstore.Group) error {
	for i := range g.Events {
		e := &g.Events[i]
		mapped, err := r.mapper.Map(e.Body, func(string) string { return "" })
		if err != nil {
			return fmt.Errorf("event %s: %w", e.ID, err)
		}
		if mapped.DeliveryID == "" || mapped.HasSequence || mapped.OccurredAt.IsZero() {
			return fmt.Errorf("event %s: the mapping reads %+v: not what this benchmark compares", e.ID, mapped)
		}
		o := oracle.Observation{Connection: mapped.Connection, Delivery: mapped.DeliveryID, Effective: effective(mapped.OccurredAt, e.ReceivedAt)}
		for f, v := range mapped.Sets {
			o.Sets[f] = uint8(v)
		}
		r.oracle.Add(&o)
		r.events++
		if err := r.write(&o); err != nil {
			return err
		}
	}
	return nil
}

func effective(occurred, received time.Time) int64 {
	if occurred.Sub(received) > maxSkew {
		return received.UnixNano()
	}
	return occurred.UnixNano()
}

func (r *reader) write(o *oracle.Observation) error {
	b := strconv.AppendInt(r.line[:0], int64(r.events), 10)
	b = append(append(b, '\t'), o.Connection...) // ids of the corpus hold nothing that COPY would want escaped
	b = append(append(b, '\t'), o.Delivery...)
	b = strconv.AppendInt(append(b, '\t'), o.Effective, 10)
	for _, v := range o.Sets {
		b = strconv.AppendUint(append(b, '\t'), uint64(v), 10)
	}
	r.line = append(b, '\n')
	_, err := r.out.Write(r.line)
	return err
}
