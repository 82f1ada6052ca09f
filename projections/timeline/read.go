package timeline

import (
	"errors"
	"math"

	"github.com/tidemark-dev/tidemark/projections/kv"
)

var errMissing = errors.New("the row is not there")

// Always is the time by which everything is known.
const Always = math.MaxInt64

// Reader answers for one connection's timeline. Not safe for concurrent use.
type Reader struct {
	rows  entryRows
	spine *Spine
}

// NewReader returns a reader of c over the view that gave the spine. The caller closes it.
func NewReader(view kv.Reader, c Conn, spine *Spine) *Reader {
	return &Reader{rows: entryRows{view: view, conn: c}, spine: spine}
}

// Close frees the reader.
func (r *Reader) Close() error { return r.rows.close() }

// Range joins the events with from <= key < to that were received by known
// (nanoseconds since 1970; Always for all). It reads O(log n) rows where known is
// Always or the events came roughly in order.
func (r *Reader) Range(from, to Key, known int64) (Summary, error) {
	q := query{Reader: r, from: from, to: to, known: known}
	if !r.spine.Any || from.Compare(to) >= 0 {
		return q.sum, nil
	}
	err := q.block(r.spine.top(), MinKey, MaxKey, true)
	return q.sum, err
}

// query is one Range under way.
type query struct {
	*Reader
	from, to Key
	known    int64
	sum      Summary
}

// block joins what lies between start and end: a block of the level above l, by
// its closed blocks of level l and, if it is open, the open one behind them.
func (q *query) block(l int, start, end Key, open bool) error {
	if l == 0 {
		return q.entries(start, end)
	}
	n, err := loadNode(q.rows.view, q.rows.conn, l, start)
	if err != nil {
		return err
	}
	if open {
		end = q.spine.Start[l]
	}
	for i := max(0, n.at(q.from)); i < len(n.kids); i++ {
		a := &n.kids[i]
		if a.start.Compare(q.to) >= 0 {
			return nil
		}
		aEnd := end
		if i+1 < len(n.kids) {
			aEnd = n.kids[i+1].start
		}
		if err := q.kid(l, a, aEnd); err != nil {
			return err
		}
	}
	if !open || end.Compare(q.to) >= 0 {
		return nil
	}
	return q.block(l-1, end, MaxKey, true)
}

// kid joins a closed block by its summary where that will do.
func (q *query) kid(l int, a *kid, end Key) error {
	if end.Compare(q.from) <= 0 {
		return nil
	}
	if q.from.Compare(a.start) <= 0 && end.Compare(q.to) <= 0 {
		var s Summary
		if err := a.decode(&s); err != nil {
			return err
		}
		switch {
		case s.Events == 0 || s.MinReceived > q.known:
			return nil
		case s.MaxReceived <= q.known:
			q.sum.Join(&s)
			return nil
		}
	}
	return q.block(l-1, a.start, end, false)
}

func (q *query) entries(start, end Key) error {
	if start.Compare(q.from) < 0 {
		start = q.from
	}
	if end.Compare(q.to) > 0 {
		end = q.to
	}
	k, ok := q.rows.seek(start)
	for ok && k.Compare(end) < 0 {
		e, err := q.rows.lean(k)
		if err != nil {
			return err
		}
		if e.ReceivedAt <= q.known {
			if e.Duplicates > 0 && e.LastReceivedAt > q.known {
				if err := q.KnownDeliveries(e, q.known); err != nil {
					return err
				}
				q.rows.seek(k)
			}
			q.sum.Add(e)
		}
		k, ok = q.rows.next()
	}
	return q.rows.error()
}

// Entry returns one entry of the connection; false where there is none at k.
func (r *Reader) Entry(k Key) (Entry, bool, error) {
	return LoadEntry(r.rows.view, r.rows.conn, k)
}

// MustEntry returns the entry at a key that a summary names. One that is not
// there is damage.
func (r *Reader) MustEntry(k Key) (*Entry, error) {
	e, ok, err := r.Entry(k)
	if err == nil && !ok {
		err = damagedRow("entry", k, errMissing)
	}
	return &e, err
}

// LoadEntry returns the entry of c at k; false where there is none.
func LoadEntry(view kv.Reader, c Conn, k Key) (Entry, bool, error) {
	var e Entry
	row, ok, err := view.Get(nil, entryKey(nil, c, k))
	if err != nil || !ok {
		return e, false, err
	}
	if err := DecodeEntry(k, row, &e, false); err != nil {
		return e, false, damagedRow("entry", k, err)
	}
	return e, true, nil
}

// Walk calls fn for the entries from <= key < to, upwards or downwards, until
// it returns false. The entry is fn's to keep.
func (r *Reader) Walk(from, to Key, descending bool, fn func(*Entry) bool) error {
	var k Key
	var ok bool
	if descending {
		k, ok = r.rows.seekBefore(to)
	} else {
		k, ok = r.rows.seek(from)
	}
	for ok && k.Compare(from) >= 0 && k.Compare(to) < 0 {
		e := new(Entry)
		v := r.rows.it.Value()
		if v == nil {
			break
		}
		if err := DecodeEntry(k, v, e, false); err != nil {
			return damagedRow("entry", k, err)
		}
		if !fn(e) {
			break
		}
		if descending {
			r.rows.it.Prev()
			k, ok = r.rows.key()
		} else {
			k, ok = r.rows.next()
		}
	}
	return r.rows.error()
}
