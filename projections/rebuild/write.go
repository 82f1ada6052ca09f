package rebuild

import (
	"context"
	"slices"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// write writes a chunk's rows as tables and takes them in with the generation's
// row about itself: all of it, or after a crash nothing.
func (w *writer) write(ctx context.Context, c *chunk) error {
	metaKey, meta, err := c.generation.Row()
	if err != nil {
		return err
	}
	t := tables{db: w.db}
	err = t.add(true, func(to *kv.TableWriter) error {
		if err := to.Set(metaKey, meta); err != nil {
			return err
		}
		return w.firstDeliveries(to, c)
	})
	for _, r := range []*rows{&c.groups, &c.names, &c.quarantine, &c.received} {
		if err == nil {
			err = t.add(len(r.list) > 0, r.write)
		}
	}
	if err == nil {
		err = t.add(len(c.placed) > 0, func(to *kv.TableWriter) error { return w.entries(to, c) })
	}
	if err == nil {
		err = t.add(len(c.deliveries.list) > 0, c.deliveries.write)
	}
	if err != nil {
		return err
	}
	return w.db.Ingest(ctx, t.finished...)
}

func (w *writer) firstDeliveries(to *kv.TableWriter, c *chunk) error {
	if len(c.first) == 0 {
		return nil
	}
	spread(c.first, &w.first, &w.starts, 8, func(f *firstDelivery) *[16]byte { return &f.hash },
		func(s []firstDelivery) { slices.SortFunc(s, compareFirst) })
	for i := range w.first {
		f := &w.first[i]
		w.key, w.value = projections.DeliveryRow(w.key[:0], w.value[:0], f.hash,
			projections.Delivery{Position: f.position, Index: f.index, BodySum: f.bodySum})
		if err := to.Set(w.key, w.value); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) entries(to *kv.TableWriter, c *chunk) error {
	spread(c.placed, &w.placed, &w.starts, 32, func(p *placed) *[16]byte { return (*[16]byte)(&p.conn) },
		func(s []placed) { slices.SortFunc(s, comparePlaced) })
	for i := range w.placed {
		if i%ahead == 0 {
			w.touch(c, i)
		}
		p := &w.placed[i]
		w.key = timeline.EntryKey(w.key[:0], p.conn, p.key)
		if err := to.Set(w.key, p.row.of(c.buf)); err != nil {
			return err
		}
	}
	return nil
}

// ahead is how many rows are fetched together.
const ahead = 16

// touch fetches the rows of the next entries. They lie scattered over far more
// memory than a cache holds; read in one go the core waits for them side by side,
// and not for one after the other.
func (w *writer) touch(c *chunk, i int) {
	for _, p := range w.placed[i:min(i+ahead, len(w.placed))] {
		for at := p.row.from; at < p.row.to; at += 64 {
			w.touched += c.buf[at]
		}
	}
}

// tables are written one after the other and taken in together.
type tables struct {
	db       *kv.DB
	finished []kv.Table
}

// add writes one table, if it is to hold anything.
func (t *tables) add(any bool, write func(*kv.TableWriter) error) error {
	if !any {
		return nil
	}
	to, err := t.db.NewTable()
	if err != nil {
		return err
	}
	if err := write(to); err != nil {
		_ = to.Abort()
		return err
	}
	done, err := to.Finish()
	t.finished = append(t.finished, done)
	return err
}
