package timeline

import (
	"encoding/binary"
)

// Fold sums up one connection's timeline whose entries come in the order of
// their keys, and makes the nodes above them: the same rows that a Writer leaves that got the entries in
// any other order. It holds one open node a level, whatever the length of the timeline. The zero
// Fold is ready for Begin, and may begin again after End. Not safe for concurrent use.
type Fold struct {
	// Emit is given each node's row. Key and value are valid during the call.
	Emit func(key, value []byte) error
	// Sum and Spine are the whole timeline's, complete after End.
	Sum   Summary
	Spine Spine

	conn Conn
	leaf Summary // of the open block of the first level
	open [Levels + 1]openNode
	raw  []byte
	key  []byte
}

// openNode is the node of a level that blocks are still put into.
type openNode struct {
	row []byte
	sum Summary
}

// Begin begins the timeline of c.
func (f *Fold) Begin(c Conn) {
	f.conn, f.Sum, f.Spine, f.leaf = c, Summary{}, newSpine(), Summary{}
	for l := range f.open {
		f.open[l].row, f.open[l].sum = f.open[l].row[:0], Summary{}
	}
}

// Add adds the next entry. It reads what counts, not the texts of e.
func (f *Fold) Add(e *Entry) error {
	if e.Key.Level() > 0 {
		if err := f.close(1, f.Spine.Start[1], &f.leaf); err != nil {
			return err
		}
		f.Spine.Start[1], f.leaf = e.Key, Summary{}
	}
	f.leaf.Add(e)
	f.Spine.Last, f.Spine.Any = e.Key, true
	return nil
}

// close puts a closed block into the open node of its level. Where a block of
// the level above begins with it, the node so far is closed first.
func (f *Fold) close(l int, start Key, sum *Summary) error {
	n := &f.open[l]
	above := f.Spine.Start[l+1]
	if l < Levels && start != above && start.Level() > l {
		if err := f.emit(l); err != nil {
			return err
		}
		if err := f.close(l+1, above, &n.sum); err != nil {
			return err
		}
		f.Spine.Start[l+1] = start
		n.row, n.sum = n.row[:0], Summary{}
	}
	f.raw = AppendSummary(f.raw[:0], sum)
	n.row = start.AppendTo(n.row)
	n.row = binary.AppendUvarint(n.row, uint64(len(f.raw)))
	n.row = append(n.row, f.raw...)
	n.sum.Join(sum)
	return nil
}

// End completes Sum and Spine and gives out the nodes that are still open.
func (f *Fold) End() error {
	for l := Levels; l >= 1; l-- {
		if err := f.emit(l); err != nil {
			return err
		}
		f.Sum.Join(&f.open[l].sum)
	}
	f.Sum.Join(&f.leaf)
	return nil
}

func (f *Fold) emit(l int) error {
	if len(f.open[l].row) == 0 {
		return nil
	}
	f.key = nodeKey(f.key[:0], f.conn, l, f.Spine.Start[l+1])
	return f.Emit(f.key, f.open[l].row)
}
