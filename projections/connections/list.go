package connections

import (
	"bytes"

	"github.com/tidemark-dev/tidemark/projections/kv"
)

// Filter says which connections a list holds. The zero Filter holds all.
type Filter struct {
	// Source, if not "", is the only source.
	Source string
	// Healths, if any, are the healths of which one must hold.
	Healths []Health
	// Prefix is what a connection's id begins with.
	Prefix string
	// After is the place behind which the list goes on: source, NUL, id of the
	// last one seen. Nil for the beginning.
	After []byte
	// Limit is the most to return.
	Limit int
}

// Place returns the place of a row for Filter.After.
func (r *Row) Place() []byte { return rowKey(nil, r.Source, r.ID)[1:] }

// Each calls fn for the connections that f holds, ordered by source and id,
// until it returns false. more is true where the list was cut short by Limit.
func Each(view kv.Reader, f Filter, fn func(*Row) bool) (more bool, err error) {
	names, err := newNames(view, f)
	if err != nil {
		return false, err
	}
	defer names.close()
	for n := 0; names.next(); n++ {
		if f.Limit > 0 && n == f.Limit {
			return true, nil
		}
		source, id := splitName(names.name)
		row, ok, err := Load(view, source, id)
		if err != nil {
			return false, err
		}
		if ok && !fn(&row) {
			return false, nil
		}
	}
	return false, names.err()
}

// names walks the names that a filter holds: one index for each health, merged, or the rows themselves.
type names struct {
	filter Filter
	walks  []*nameWalk
	name   []byte
}

type nameWalk struct {
	it     *kv.Iter
	prefix []byte
	ok     bool
}

func newNames(view kv.Reader, f Filter) (*names, error) {
	n := &names{filter: f}
	prefixes := [][]byte{{prefixRow}}
	if len(f.Healths) > 0 {
		prefixes = nil
		for _, h := range f.Healths {
			prefixes = append(prefixes, []byte{prefixHealth, byte(h)})
		}
	}
	for _, p := range prefixes {
		upper := bytes.Clone(p)
		upper[len(upper)-1]++
		it, err := view.Iter(p, upper)
		if err != nil {
			n.close()
			return nil, err
		}
		w := &nameWalk{it: it, prefix: p}
		n.walks = append(n.walks, w)
		w.seek(n.begin())
	}
	return n, nil
}

// begin returns the first name at which the list can begin.
func (n *names) begin() []byte {
	var first []byte
	if n.filter.Source != "" {
		first = append([]byte(n.filter.Source+"\x00"), n.filter.Prefix...)
	}
	if n.filter.After != nil {
		if after := append(bytes.Clone(n.filter.After), 0); bytes.Compare(after, first) > 0 {
			return after
		}
	}
	return first
}

func (w *nameWalk) seek(name []byte) { w.ok = w.it.SeekGE(append(bytes.Clone(w.prefix), name...)) }

func (w *nameWalk) name() []byte { return w.it.Key()[len(w.prefix):] }

// next moves to the next name that the filter holds.
func (n *names) next() bool {
	for {
		var least *nameWalk
		for _, w := range n.walks {
			if w.ok && (least == nil || bytes.Compare(w.name(), least.name()) < 0) {
				least = w
			}
		}
		if least == nil {
			return false
		}
		n.name = append(n.name[:0], least.name()...)
		source, id, _ := bytes.Cut(n.name, []byte{0})
		if n.filter.Source != "" && string(source) != n.filter.Source {
			return false
		}
		prefix := []byte(n.filter.Prefix)
		if !bytes.HasPrefix(id, prefix) {
			// Skip what lies before the prefix in this source, or the rest of the source.
			to := append(append(bytes.Clone(source), 0), prefix...)
			if bytes.Compare(id, prefix) > 0 {
				to = append(bytes.Clone(source), 1)
			}
			for _, w := range n.walks {
				if w.ok && bytes.Compare(w.name(), to) < 0 {
					w.seek(to)
				}
			}
			continue
		}
		for _, w := range n.walks {
			if w.ok && bytes.Equal(w.name(), n.name) {
				w.ok = w.it.Next()
			}
		}
		return true
	}
}

func (n *names) err() error {
	for _, w := range n.walks {
		if err := w.it.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (n *names) close() {
	for _, w := range n.walks {
		_ = w.it.Close()
	}
}
