package rebuild

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// ranges is into how many the connections are cut, by the first byte of their
// hash: the steps in which a fold goes on after a crash.
const ranges = 256

// foldRows bounds what a folder collects before it is taken in.
const foldRows = 200_000

// fold sums up every timeline of a directory whose entries are all there, and
// counts what it finds. What an earlier call has taken in is not folded again.
func fold(ctx context.Context, o *Options, db *kv.DB, written *Written, meter *meter) (counted, error) {
	all := newCounted()
	done, err := foldedBefore(db.Reader, &all)
	if err != nil {
		return all, err
	}
	meter.folded(all.Entries)
	var mu sync.Mutex
	next := 0
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		for next < ranges && done[next] {
			next++
		}
		next++
		return next - 1, next <= ranges
	}
	group, ctx := errgroup.WithContext(ctx)
	for range o.Workers {
		group.Go(func() error {
			o.cores.join()
			f := newFolder(ctx, o, db, written, meter)
			if err := f.run(take); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			all.add(&f.total)
			return nil
		})
	}
	return all, group.Wait()
}

// folder folds ranges of connections. Each goroutine has its own.
type folder struct {
	ctx     context.Context
	options *Options
	db      *kv.DB
	meter   *meter
	written *Written

	fold    timeline.Fold
	setters setters
	row     connections.Row
	entry   timeline.Entry
	key     []byte
	value   []byte

	nodes, states, healths, entries, progress rows

	replaced *rowSums // rows that those of entries take the place of

	inRange counted // of the range at hand
	total   counted
	told    uint64 // of inRange.Entries
	turn    *turn
}

func newFolder(ctx context.Context, o *Options, db *kv.DB, written *Written, m *meter) *folder {
	f := &folder{ctx: ctx, options: o, db: db, meter: m, total: newCounted(), written: written, replaced: newRowSums(), turn: o.cores.turn()}
	f.fold.Emit = func(key, value []byte) error {
		f.nodes.add(key, value)
		return nil
	}
	return f
}

func (f *folder) run(next func() (int, bool)) error {
	f.options.cores.take()
	defer f.options.cores.give()
	for {
		r, more := next()
		if !more {
			if f.written != nil {
				f.written.replaced(f.replaced)
			}
			return f.takeIn()
		}
		if err := f.options.Gate(f.ctx); err != nil {
			return err
		}
		f.inRange, f.told = newCounted(), 0
		if err := f.foldRange(byte(r)); err != nil {
			return err
		}
		f.tell()
		row, err := f.inRange.row()
		if err != nil {
			return err
		}
		f.progress.add(progressKey(byte(r)), row)
		f.total.add(&f.inRange)
	}
}

// foldRange folds the connections whose hash begins with b.
func (f *folder) foldRange(b byte) error {
	s, err := openStreams(f.db.Reader, b)
	if err != nil {
		return err
	}
	return errors.Join(f.connections(s), s.close())
}

func (f *folder) connections(s *streams) error {
	for s.names.Valid() {
		key := s.names.Key()
		if len(key) != 17 {
			return fmt.Errorf("%w: name of a connection", kv.ErrDamaged)
		}
		conn := timeline.Conn(key[1:])
		source, id := connections.SplitName(s.names.Value())
		if timeline.ConnOf(source, id) != conn {
			return fmt.Errorf("%w: connection %q of source %s has another hash in its name's row", kv.ErrDamaged, id, source)
		}
		if err := f.connection(s, conn, source, id); err != nil {
			return fmt.Errorf("connection %q of source %s: %w", id, source, err)
		}
		s.names.Next()
		if f.inRange.Connections&0x3f == 0 {
			if err := f.options.Gate(f.ctx); err != nil {
				return err
			}
		}
	}
	if s.entries.Valid() {
		return fmt.Errorf("%w: a timeline entry belongs to no connection", ErrIncomplete)
	}
	if s.deliveries.Valid() {
		return fmt.Errorf("%w: a further delivery belongs to no event", ErrIncomplete)
	}
	return s.err()
}

// connection folds the timeline of one connection.
func (f *folder) connection(s *streams, conn timeline.Conn, source, id string) error {
	f.fold.Begin(conn)
	f.setters.begin()
	for s.entries.Valid() {
		c, k, rest, ok := timeline.SplitEntryKey(s.entries.Key())
		if !ok || len(rest) != 0 {
			return fmt.Errorf("%w: key of a timeline entry", kv.ErrDamaged)
		}
		if c != conn {
			break
		}
		if err := f.add(s, conn, k); err != nil {
			return err
		}
		s.entries.Next()
	}
	if err := f.fold.End(); err != nil {
		return err
	}
	sum := &f.fold.Sum
	if sum.Events == 0 {
		return fmt.Errorf("%w: it has a name and no event", ErrIncomplete)
	}
	f.row = connections.Row{Source: source, ID: id, Sum: *sum, Spine: f.fold.Spine}
	if err := f.setters.finish(&f.row.Setters); err != nil {
		return err
	}
	f.key = connections.RowKey(f.key[:0], source, id)
	f.value = f.row.AppendTo(f.value[:0])
	f.states.add(f.key, f.value)
	h := f.row.Health()
	f.key = connections.HealthKey(f.key[:0], h, source, id)
	f.healths.add(f.key, nil)
	f.inRange.Connections++
	f.inRange.Entries += sum.Events
	f.inRange.Deliveries += sum.Duplicates
	f.inRange.ByHealth[h.String()]++
	f.inRange.BySource[source]++
	return f.takeInIfFull()
}

// add adds the entry that the stream stands on, with the further deliveries it had.
func (f *folder) add(s *streams, conn timeline.Conn, k timeline.Key) error {
	row := s.entries.Value()
	if err := timeline.DecodeEntry(k, row, &f.entry, true); err != nil {
		return fmt.Errorf("%w: timeline entry: %w", kv.ErrDamaged, err)
	}
	again, err := s.deliveriesOf(conn, k, &f.entry)
	if err != nil {
		return err
	}
	if again {
		if row, err = f.rewrite(s.entries.Key(), row, k); err != nil {
			return err
		}
	}
	f.setters.add(&f.entry, row)
	f.turn.step(1)
	if f.told++; f.told&0xfff == 0 {
		f.tell()
		if err := first(f.options.Gate(f.ctx), f.takeInIfFull()); err != nil {
			return err
		}
	}
	return f.fold.Add(&f.entry)
}

// rewrite writes an entry anew whose deliveries are counted in f.entry.
func (f *folder) rewrite(key, row []byte, k timeline.Key) ([]byte, error) {
	var whole timeline.Entry
	if err := timeline.DecodeEntry(k, row, &whole, false); err != nil {
		return nil, fmt.Errorf("%w: timeline entry: %w", kv.ErrDamaged, err)
	}
	whole.Duplicates, whole.Conflicts = f.entry.Duplicates, f.entry.Conflicts
	whole.LastReceivedAt, whole.LastPosition = f.entry.LastReceivedAt, f.entry.LastPosition
	f.value = timeline.AppendEntry(f.value[:0], &whole)
	if string(f.value) != string(row) {
		f.entries.add(key, f.value)
		f.replaced.add(key, row)
	}
	return f.value, nil
}

func (f *folder) tell() {
	if n := f.told & 0xfff; n > 0 {
		f.meter.folded(n)
	} else if f.told > 0 {
		f.meter.folded(0x1000)
	}
}

func (f *folder) takeInIfFull() error {
	if len(f.nodes.list)+len(f.states.list)+len(f.entries.list) < foldRows && len(f.nodes.buf)+len(f.states.buf)+len(f.entries.buf) < f.options.ChunkBytes {
		return nil
	}
	return f.takeIn()
}

// takeIn takes in what is folded. Ranges count as folded only with all that belongs
// to them; parts of the range at hand are written again, the same, after a crash. The folder's core is given
// back for as long.
func (f *folder) takeIn() error {
	f.options.cores.give()
	defer f.options.cores.take()
	t := newTables(f.db, f.options.cores, f.written)
	kinds := []*rows{&f.progress, &f.nodes, &f.healths, &f.states, &f.entries}
	for _, r := range kinds {
		t.add(len(r.list) > 0, r.write)
	}
	if err := t.takeIn(f.ctx); err != nil {
		return fmt.Errorf("take in folded timelines: %w", err)
	}
	for _, r := range kinds {
		r.reset()
	}
	return nil
}
