package timeline

import (
	"fmt"

	"github.com/tidemark-dev/tidemark/projections/kv"
)

// Writer applies changes to the timelines of many connections in one batch. It
// reads the rows as they were before the batch, so a connection is applied at
// most once a batch. Not safe for concurrent use.
type Writer struct {
	batch *kv.Batch
	rows  entryRows
	// nodes holds nodes that were read or written lately, as the directory has them with the batch.
	nodes map[nodeName]*node
	most  int // of them
	buf   []byte
	key   []byte
}

// nodeName is where a node stands.
type nodeName struct {
	conn  Conn
	level int
	start Key
}

// maxNodes bounds the nodes that a writer keeps: some 3 kB each. Those above the first level, which are few
// save in a long history, hold the summaries in them decoded, and take 10 kB.
const maxNodes = 2048

// NewWriter returns a writer into b that reads what view holds without b. The caller closes it.
func NewWriter(view kv.Reader, b *kv.Batch) *Writer {
	return &Writer{batch: b, rows: entryRows{view: view}, nodes: map[nodeName]*node{}, most: maxNodes}
}

// Close frees the writer; it may be used again, once the batch is committed, and
// then sees what view holds by then. After a batch that is given up a new writer is
// needed: this one remembers nodes as the batch had them.
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
	w.forget()
	inOrder := true
	for _, e := range changes {
		w.key = entryKey(w.key[:0], c, e.Key)
		w.buf = AppendEntry(w.buf[:0], e)
		if err := w.batch.Set(w.key, w.buf); err != nil {
			return err
		}
		if inOrder = inOrder && spine.before(e.Key); inOrder {
			root.Add(e)
		}
	}
	closed, err := w.closeLeaves(spine, changes)
	for l := 1; err == nil && l <= Levels && len(closed) > 0; l++ {
		closed, err = w.updateNodes(l, spine, closed)
	}
	if err != nil {
		return err
	}
	if last := changes[len(changes)-1].Key; spine.before(last) {
		spine.Last = last
	}
	spine.Any = true
	if inOrder {
		return nil
	}
	return w.total(root, spine, changes)
}

// closeLeaves summarises the blocks of the first level that the changes touch
// or cut, and returns those that are closed.
func (w *Writer) closeLeaves(spine *Spine, changes []*Entry) ([]kid, error) {
	var closed []kid
	for len(changes) > 0 {
		start, err := w.blockOf(1, changes[0].Key, spine)
		if err != nil {
			return nil, err
		}
		isOpen := start == spine.Start[1]
		if isOpen && !cuts(changes, start) {
			return closed, nil // an open block is in no node
		}
		sum := &Summary{}
		n, err := w.scan(start, changes, func(e *Entry) error {
			if e.Key != start && e.Key.Level() > 0 {
				closed = append(closed, kid{start: start, raw: AppendSummary(nil, sum)})
				start, *sum = e.Key, Summary{}
			}
			sum.Add(e)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if isOpen {
			spine.Start[1] = start
		} else {
			closed = append(closed, kid{start: start, raw: AppendSummary(nil, sum)})
		}
		changes = changes[n:]
	}
	return closed, nil
}

func cuts(changes []*Entry, start Key) bool {
	for _, e := range changes {
		if e.Key != start && e.Key.Level() > 0 {
			return true
		}
	}
	return false
}

// scan calls fn for the entries from start to the next boundary that the
// directory has, the changes in place of the directory's. It returns how many of
// the changes that took. The entry is valid during the call.
func (w *Writer) scan(start Key, changes []*Entry, fn func(*Entry) error) (int, error) {
	n := 0
	k, ok := w.rows.seek(start)
	for {
		stored := ok && (k == start || k.Level() == 0)
		if n < len(changes) && (!ok || changes[n].Key.Compare(k) < 0 || stored && changes[n].Key == k) {
			if stored && changes[n].Key == k {
				k, ok = w.rows.next()
			}
			if err := fn(changes[n]); err != nil {
				return n, err
			}
			n++
			continue
		}
		if !stored {
			return n, w.rows.error()
		}
		e, err := w.rows.lean(k)
		if err != nil {
			return n, err
		}
		if err := fn(e); err != nil {
			return n, err
		}
		k, ok = w.rows.next()
	}
}

// blockOf returns where the block of level l starts that holds k, as the
// directory has it.
func (w *Writer) blockOf(l int, k Key, spine *Spine) (Key, error) {
	if k.Compare(spine.Start[l]) >= 0 {
		return spine.Start[l], nil
	}
	above, err := w.blockOf(l+1, k, spine)
	if err != nil {
		return k, err
	}
	n, err := w.node(l, above)
	if err != nil {
		return k, err
	}
	i := n.at(k)
	if i < 0 {
		return k, fmt.Errorf("%w: no block of level %d holds %v of a timeline", kv.ErrDamaged, l, k)
	}
	return n.kids[i].start, nil
}

func (w *Writer) node(l int, start Key) (*node, error) {
	name := nodeName{w.rows.conn, l, start}
	if n := w.nodes[name]; n != nil {
		return n, nil
	}
	n, err := loadNode(w.rows.view, w.rows.conn, l, start)
	if err != nil {
		return nil, err
	}
	w.nodes[name] = &n
	return &n, nil
}

// forget makes room for the nodes of one more connection, whichever has to go for it.
func (w *Writer) forget() {
	for name := range w.nodes {
		if len(w.nodes) <= w.most {
			return
		}
		delete(w.nodes, name)
	}
}

// updateNodes puts changed blocks of level l into their nodes, cuts the nodes
// where a block of the level above begins, and returns the blocks of that level
// that are closed and changed.
func (w *Writer) updateNodes(l int, spine *Spine, blocks []kid) ([]kid, error) {
	var closed []kid
	for len(blocks) > 0 {
		start, err := w.blockOf(l+1, blocks[0].start, spine)
		if err != nil {
			return nil, err
		}
		n, err := w.node(l, start)
		if err != nil {
			return nil, err
		}
		isOpen := start == spine.Start[l+1]
		for len(blocks) > 0 {
			if s, err := w.blockOf(l+1, blocks[0].start, spine); err != nil {
				return nil, err
			} else if s != start {
				break
			}
			n.put(blocks[0])
			blocks = blocks[1:]
		}
		parts := n.cut(l, start)
		for i, p := range parts {
			if err := w.putNode(l, p.start, p.node); err != nil {
				return nil, err
			}
			if l == Levels {
				continue
			}
			if isOpen && i == len(parts)-1 {
				spine.Start[l+1] = p.start
				continue
			}
			sum, err := p.node.sum(l > 1)
			if err != nil {
				return nil, err
			}
			closed = append(closed, kid{start: p.start, raw: AppendSummary(nil, sum), sum: sum})
		}
	}
	return closed, nil
}

type part struct {
	start Key
	node  *node
}

// cut cuts a node of level l where a block of the level above begins.
func (n *node) cut(l int, start Key) []part {
	parts := []part{{start: start}}
	from := 0
	for i := range n.kids {
		if k := n.kids[i].start; l < Levels && k != start && k.Level() > l {
			parts[len(parts)-1].node = &node{kids: n.kids[from:i:i]}
			parts = append(parts, part{start: k})
			from = i
		}
	}
	parts[len(parts)-1].node = &node{kids: n.kids[from:]}
	return parts
}

func (w *Writer) putNode(l int, start Key, n *node) error {
	w.nodes[nodeName{w.rows.conn, l, start}] = n
	w.key = nodeKey(w.key[:0], w.rows.conn, l, start)
	w.buf = n.append(w.buf[:0])
	return w.batch.Set(w.key, w.buf)
}

// total joins the whole timeline: the closed blocks of each level that lie
// within the open block of the level above, and the entries of the open leaf.
func (w *Writer) total(root *Summary, spine *Spine, changes []*Entry) error {
	*root = Summary{}
	for l := spine.top(); l >= 1; l-- {
		n, err := w.node(l, spine.Start[l+1])
		if err != nil {
			return err
		}
		sum, err := n.sum(l > 1)
		if err != nil {
			return err
		}
		root.Join(sum)
	}
	open := spine.Start[1]
	for len(changes) > 0 && changes[0].Key.Compare(open) < 0 {
		changes = changes[1:]
	}
	_, err := w.scan(open, changes, func(e *Entry) error {
		root.Add(e)
		return nil
	})
	return err
}
