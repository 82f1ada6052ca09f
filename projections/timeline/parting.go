package timeline

import (
	"bytes"

	"github.com/tidemark-dev/tidemark/projections/kv"
)

// Side is a connection's timeline in one of two directories that are compared.
type Side struct {
	Rows  kv.Reader
	Conn  Conn
	Spine *Spine
}

// Parting returns the start of the first block of the first level in which two timelines of a
// connection differ, by summaries alone: same tells whether two summaries agree in
// what matters. Blocks that agree are skipped at the highest level, so it reads O(log n) nodes. Where
// all closed blocks agree it is the start of the open one.
func Parting(a, b Side, same func(a, b *Summary) bool) (Key, error) {
	p := parting{a: a, b: b, same: same}
	return p.within(Levels, MinKey)
}

type parting struct {
	a, b Side
	same func(a, b *Summary) bool
}

// within looks for the first difference in the block of the level above l that
// starts at start on both sides.
func (p *parting) within(l int, start Key) (Key, error) {
	if l == 0 {
		return start, nil
	}
	a, err := loadNode(p.a.Rows, p.a.Conn, l, start)
	if err != nil {
		return start, err
	}
	b, err := loadNode(p.b.Rows, p.b.Conn, l, start)
	if err != nil {
		return start, err
	}
	for i := 0; i < max(len(a.kids), len(b.kids)); i++ {
		if i >= len(a.kids) {
			return p.within(l-1, b.kids[i].start)
		}
		if i >= len(b.kids) {
			return p.within(l-1, a.kids[i].start)
		}
		x, y := &a.kids[i], &b.kids[i]
		if x.start != y.start {
			return p.within(l-1, least(x.start, y.start))
		}
		if ok, err := p.agree(x, y); err != nil || !ok {
			if err != nil {
				return start, err
			}
			return p.within(l-1, x.start)
		}
	}
	return p.within(l-1, least(p.a.Spine.Start[l], p.b.Spine.Start[l]))
}

func (p *parting) agree(x, y *kid) (bool, error) {
	if bytes.Equal(x.raw, y.raw) {
		return true, nil
	}
	var s, t Summary
	if err := x.decode(&s); err != nil {
		return false, err
	}
	if err := y.decode(&t); err != nil {
		return false, err
	}
	return p.same(&s, &t), nil
}

func least(a, b Key) Key {
	if b.Compare(a) < 0 {
		return b
	}
	return a
}
