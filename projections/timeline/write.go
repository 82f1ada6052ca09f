package timeline

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tidemark-dev/tidemark/projections/kv"
)

// Writer applies changes to the timelines of many connections in one batch. It
// reads the rows as they were before the batch, so a connection is applied at
// most once a batch. Not safe for concurrent use.
type Writer struct {
	batch *kv.Batch
	rows  levelRows
	// pending holds, by level, the rows of the connection at hand that this
	// Apply wrote; reads see them above the rows of the directory.
	pending [Levels + 1][]item
	row     []byte
	key     []byte
}

// NewWriter returns a writer into b that reads what view holds without b. The caller closes it.
func NewWriter(view kv.Reader, b *kv.Batch) *Writer {
	return &Writer{batch: b, rows: levelRows{view: view}}
}

// Close frees the writer; it may be used again and then sees what view holds by then.
func (w *Writer) Close() error { return w.rows.close() }

// Apply puts changed entries into a connection's timeline: new ones, and ones
// that are there already and got another delivery. The changes are in the order of
// their keys, each key once. root and spine are the connection's summary and spine
// before, and after.
func (w *Writer) Apply(c Conn, root *Summary, spine *Spine, changes []*Entry) error {
	if !spine.Any {
		*spine = newSpine()
	}
	w.rows.conn = c
	w.pending[0] = w.pending[0][:0]
	inOrder := true
	for _, e := range changes {
		w.key = entryKey(w.key[:0], c, e.Key)
		w.row = AppendEntry(w.row[:0], e)
		if err := w.batch.Set(w.key, w.row); err != nil {
			return err
		}
		w.pending[0] = append(w.pending[0], item{key: e.Key, entry: e})
		if inOrder = inOrder && spine.before(e.Key); inOrder {
			root.Add(e)
			spine.Last, spine.Any = e.Key, true
		} else if e.Key.Compare(spine.Last) > 0 {
			spine.Last = e.Key
		}
	}
	for l := 1; l <= Levels; l++ {
		if err := w.closeBlocks(l, spine); err != nil {
			return err
		}
	}
	if inOrder {
		return nil
	}
	return w.total(root, spine)
}

func (s *Spine) before(k Key) bool { return !s.Any || s.Last.Compare(k) < 0 }

// closeBlocks writes the rows of level l that the pending items of the level
// below change, and moves the start of the open block.
func (w *Writer) closeBlocks(l int, spine *Spine) error {
	w.pending[l] = w.pending[l][:0]
	below := w.pending[l-1]
	open := spine.Start[l]
	for len(below) > 0 {
		start, end, isOpen, err := w.blockOf(l, below[0].key, open)
		if err != nil {
			return err
		}
		n := len(below)
		if !isOpen {
			n, _ = slices.BinarySearchFunc(below, end, func(i item, k Key) int { return i.key.Compare(k) })
		}
		changed := below[:n]
		below = below[n:]
		// An open block has no row; without a new boundary nothing is to be written.
		if isOpen && !slices.ContainsFunc(changed, func(i item) bool { return i.key != start && i.key.Level() >= l }) {
			continue
		}
		sum := &Summary{}
		err = w.scan(l-1, start, end, func(i item) error {
			if i.key != start && i.key.Level() >= l {
				if err := w.setBlock(l, start, sum); err != nil {
					return err
				}
				start, sum = i.key, &Summary{}
			}
			i.joinInto(sum)
			return nil
		})
		if err != nil {
			return err
		}
		if isOpen {
			spine.Start[l] = start
		} else if err := w.setBlock(l, start, sum); err != nil {
			return err
		}
	}
	return nil
}

// blockOf returns the bounds of the block of level l that holds k, as the
// directory has it. open is where the level's open block starts.
func (w *Writer) blockOf(l int, k, open Key) (start, end Key, isOpen bool, err error) {
	if k.Compare(open) >= 0 {
		return open, MaxKey, true, nil
	}
	start, ok := w.rows.seekAtOrBefore(l, k)
	if !ok {
		return start, end, false, errors.Join(fmt.Errorf("timeline has no block of level %d at or before %v", l, k), kv.ErrDamaged, w.rows.error())
	}
	if end, ok = w.rows.next(); !ok {
		end = open
	}
	return start, end, false, w.rows.error()
}

func (w *Writer) setBlock(l int, start Key, sum *Summary) error {
	w.key = blockKey(w.key[:0], w.rows.conn, l, start)
	w.row = AppendSummary(w.row[:0], sum)
	w.pending[l] = append(w.pending[l], item{key: start, sum: sum})
	return w.batch.Set(w.key, w.row)
}

// scan calls fn for the items of a level with from <= key < to, in order, the
// pending ones in place of the directory's. The item is valid during the call.
func (w *Writer) scan(level int, from, to Key, fn func(item) error) error {
	pending := w.pending[level]
	i, _ := slices.BinarySearchFunc(pending, from, func(i item, k Key) int { return i.key.Compare(k) })
	k, ok := w.rows.seek(level, from)
	for {
		stored := ok && k.Compare(to) < 0
		if i < len(pending) && pending[i].key.Compare(to) < 0 && (!stored || pending[i].key.Compare(k) <= 0) {
			if stored && pending[i].key == k {
				k, ok = w.rows.next()
			}
			if err := fn(pending[i]); err != nil {
				return err
			}
			i++
			continue
		}
		if !stored {
			return w.rows.error()
		}
		it, err := w.rows.value(k)
		if err != nil {
			return err
		}
		if err := fn(it); err != nil {
			return err
		}
		k, ok = w.rows.next()
	}
}

// total joins the whole timeline: the closed blocks of the top level, behind
// them those of each lower level, and the entries of the open block.
func (w *Writer) total(root *Summary, spine *Spine) error {
	*root = Summary{}
	join := func(i item) error {
		i.joinInto(root)
		return nil
	}
	from := MinKey
	for l := Levels; l >= 1; l-- {
		if err := w.scan(l, from, spine.Start[l], join); err != nil {
			return err
		}
		from = spine.Start[l]
	}
	return w.scan(0, from, MaxKey, join)
}

func damagedRow(what string, k Key, err error) error {
	return fmt.Errorf("%w: %s at %v of a timeline: %w", kv.ErrDamaged, what, k, err)
}
