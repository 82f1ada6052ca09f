package timeline

import (
	"encoding/binary"
	"slices"

	"github.com/tidemark-dev/tidemark/projections/kv"
)

// kid is a closed block in a node: where it starts, and its encoded summary.
type kid struct {
	start Key
	raw   []byte
	sum   *Summary // raw, read, where it is kept
}

// node lists the closed blocks of one level within one block of the level
// above, in order.
type node struct {
	kids   []kid
	joined *Summary // of all kids, once it was asked for
}

// loadNode reads a node; one that has no row has no kids. The kids alias the row.
func loadNode(view kv.Reader, c Conn, level int, start Key) (node, error) {
	var n node
	var buf [64]byte
	b, _, err := view.Get(nil, nodeKey(buf[:0], c, level, start))
	if err != nil {
		return n, err
	}
	for len(b) > 0 {
		size, w := uint64(0), 0
		if len(b) > KeySize {
			size, w = binary.Uvarint(b[KeySize:])
		}
		if w <= 0 || size > uint64(len(b)-KeySize-w) {
			return n, damagedRow("node", start, errTruncated)
		}
		end := KeySize + w + int(size)
		n.kids = append(n.kids, kid{start: DecodeKey(b), raw: b[KeySize+w : end]})
		b = b[end:]
	}
	return n, nil
}

func (n *node) append(dst []byte) []byte {
	for i := range n.kids {
		dst = n.kids[i].start.AppendTo(dst)
		dst = binary.AppendUvarint(dst, uint64(len(n.kids[i].raw)))
		dst = append(dst, n.kids[i].raw...)
	}
	return dst
}

// at returns the index of the last kid that starts at or before k, -1 if there is none.
func (n *node) at(k Key) int {
	i, found := slices.BinarySearchFunc(n.kids, k, func(a kid, k Key) int { return a.start.Compare(k) })
	if found {
		return i
	}
	return i - 1
}

// put sets the kid that starts where this one does, or inserts it.
func (n *node) put(a kid) {
	n.joined = nil
	i, found := slices.BinarySearchFunc(n.kids, a.start, func(a kid, k Key) int { return a.start.Compare(k) })
	if found {
		n.kids[i] = a
	} else {
		n.kids = slices.Insert(n.kids, i, a)
	}
}

// sum returns the summaries of all kids, joined. It is the node's, to be read alone. With keep each kid's
// is kept too, for the next time.
func (n *node) sum(keep bool) (*Summary, error) {
	if n.joined != nil {
		return n.joined, nil
	}
	all := new(Summary)
	var s Summary
	for i := range n.kids {
		k := &n.kids[i]
		if k.sum != nil {
			all.Join(k.sum)
			continue
		}
		if err := k.decode(&s); err != nil {
			return nil, err
		}
		all.Join(&s)
		if keep {
			k.sum = new(Summary)
			*k.sum = s
		}
	}
	n.joined = all
	return all, nil
}

func (a *kid) decode(s *Summary) error {
	rest, err := DecodeSummary(a.raw, s)
	if err == nil && len(rest) != 0 {
		err = errTruncated
	}
	if err != nil {
		return damagedRow("block", a.start, err)
	}
	return nil
}
