package timeline

// WalkLate is Walk over the late entries alone. It passes over closed blocks
// whose summary counts none.
func (r *Reader) WalkLate(from, to Key, descending bool, fn func(*Entry) bool) error {
	if !r.spine.Any {
		return nil
	}
	w := lateWalk{Reader: r, from: from, to: to, descending: descending, fn: fn}
	_, err := w.block(r.spine.top(), MinKey, MaxKey, true)
	return err
}

type lateWalk struct {
	*Reader
	from, to   Key
	descending bool
	fn         func(*Entry) bool
}

// stretch is a part of a block: a closed block of the level below, or the open one.
type stretch struct {
	start, end Key
	open       bool
}

// block walks what lies between start and end and reports whether to go on.
func (w *lateWalk) block(l int, start, end Key, open bool) (more bool, err error) {
	if start.Compare(w.to) >= 0 || end.Compare(w.from) <= 0 {
		return true, nil
	}
	if l == 0 {
		return w.entries(start, end)
	}
	n, err := loadNode(w.rows.view, w.rows.conn, l, start)
	if err != nil {
		return false, err
	}
	var parts []stretch
	last := end
	if open {
		last = w.spine.Start[l]
	}
	for i := range n.kids {
		var s Summary
		if err := n.kids[i].decode(&s); err != nil {
			return false, err
		}
		if s.Late == 0 {
			continue
		}
		p := stretch{start: n.kids[i].start, end: last}
		if i+1 < len(n.kids) {
			p.end = n.kids[i+1].start
		}
		parts = append(parts, p)
	}
	if open {
		parts = append(parts, stretch{start: last, end: MaxKey, open: true})
	}
	for i := range parts {
		p := parts[i]
		if w.descending {
			p = parts[len(parts)-1-i]
		}
		if more, err := w.block(l-1, p.start, p.end, p.open); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

func (w *lateWalk) entries(start, end Key) (more bool, err error) {
	if start.Compare(w.from) < 0 {
		start = w.from
	}
	if end.Compare(w.to) > 0 {
		end = w.to
	}
	more = true
	err = w.Walk(start, end, w.descending, func(e *Entry) bool {
		if e.Late {
			more = w.fn(e)
		}
		return more
	})
	return more, err
}
