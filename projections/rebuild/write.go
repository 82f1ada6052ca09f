package rebuild

import (
	"context"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// writer writes chunks. It keeps what it sorts in, so there is one for all.
type writer struct {
	db     *kv.DB
	cores  *cores
	placed buckets[placed]
	first  buckets[firstDelivery]
	// written is told of every row, if it is not nil.
	written *Written
}

// write writes a chunk's rows as tables and takes them in with the generation's
// row about itself: all of it, or after a crash nothing.
func (w *writer) write(ctx context.Context, c *chunk) error {
	metaKey, meta, err := c.generation.Row()
	if err != nil {
		return err
	}
	t := newTables(w.db, w.cores, w.written)
	// Timelines are most of the work: two halves, so that two cores are done at the same time.
	w.cores.take()
	w.placed.spread(c.placed, 32, w.cores.turn(), func(p *placed) *[16]byte { return (*[16]byte)(&p.conn) })
	w.cores.give()
	low, high := w.placed.halves()
	for _, half := range []*buckets[placed]{&low, &high} {
		t.add(len(half.list) > 0, func(to *table) error { return writeEntries(to, half, c.buf) })
	}
	t.add(true, func(to *table) error {
		if err := to.Set(metaKey, meta); err != nil {
			return err
		}
		w.first.spread(c.first, 8, to.turn, func(f *firstDelivery) *[16]byte { return &f.hash })
		return writeFirst(to, &w.first)
	})
	for _, r := range []*rows{&c.groups, &c.names, &c.quarantine, &c.received, &c.deliveries} {
		t.add(len(r.list) > 0, r.write)
	}
	return t.takeIn(ctx)
}

func writeFirst(to *table, all *buckets[firstDelivery]) error {
	all.sort(to.turn, compareFirst)
	var key, value []byte
	for i := range all.list {
		f := &all.list[i]
		key, value = projections.DeliveryRow(key[:0], value[:0], f.hash,
			projections.Delivery{Position: f.position, Index: f.index, BodySum: f.bodySum})
		if err := to.Set(key, value); err != nil {
			return err
		}
	}
	return nil
}

// ahead is how many rows are fetched together.
const ahead = 16

// writeEntries writes entries whose rows are in buf. They lie scattered over far
// more memory than a cache holds, so some are fetched in one go: then the core waits
// for them side by side, and not for one after the other.
func writeEntries(to *table, all *buckets[placed], buf []byte) error {
	all.sort(to.turn, comparePlaced)
	var key []byte
	touched := byte(0)
	for i := range all.list {
		if i%ahead == 0 {
			for _, p := range all.list[i:min(i+ahead, len(all.list))] {
				for at := p.row.from; at < p.row.to; at += 64 {
					touched += buf[at]
				}
			}
		}
		p := &all.list[i]
		key = timeline.EntryKey(key[:0], p.conn, p.key)
		if err := to.Set(key, p.row.of(buf)); err != nil {
			return err
		}
	}
	runtime.KeepAlive(touched)
	return nil
}

// tables are written side by side and taken in together.
type tables struct {
	db      *kv.DB
	cores   *cores
	written *Written
	group   errgroup.Group

	mu       sync.Mutex
	finished []kv.Table
}

// table is one that is written, with the sums of what is in it, if those are asked for.
type table struct {
	*kv.TableWriter
	sums *rowSums
	turn *turn
}

// Set writes a row.
func (t *table) Set(key, value []byte) error {
	t.turn.step(1)
	if t.sums != nil {
		t.sums.add(key, value)
	}
	return t.TableWriter.Set(key, value)
}

// newTables returns none yet. Who begins to write one must hold no core while it waits for them. written, which may
// be nil, is told of their rows.
func newTables(db *kv.DB, c *cores, written *Written) *tables {
	return &tables{db: db, cores: c, written: written}
}

// add begins to write one table, if it is to hold anything.
func (t *tables) add(any bool, write func(*table) error) {
	if !any {
		return
	}
	t.group.Go(func() error {
		t.cores.join()
		t.cores.take()
		defer t.cores.give()
		w, err := t.db.NewTable()
		if err != nil {
			return err
		}
		to := &table{TableWriter: w, turn: t.cores.turn()}
		if t.written != nil {
			to.sums = newRowSums()
		}
		if err := write(to); err != nil {
			_ = to.Abort()
			return err
		}
		if t.written != nil {
			t.written.add(to.sums)
		}
		done, err := to.Finish()
		t.mu.Lock()
		defer t.mu.Unlock()
		t.finished = append(t.finished, done)
		return err
	})
}

// takeIn waits for the tables and takes them in, if there are any.
func (t *tables) takeIn(ctx context.Context) error {
	if err := t.group.Wait(); err != nil {
		return err
	}
	if len(t.finished) == 0 {
		return nil
	}
	return t.db.Ingest(ctx, t.finished...)
}
