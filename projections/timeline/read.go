package timeline

import (
	"math"

	"github.com/tidemark-dev/tidemark/projections/kv"
)

// Always is the time by which everything is known.
const Always = math.MaxInt64

// Reader answers for one connection's timeline. Not safe for concurrent use.
type Reader struct {
	rows  levelRows
	spine *Spine
	known int64
}

// NewReader returns a reader of c over the view that gave the spine. The caller closes it.
func NewReader(view kv.Reader, c Conn, spine *Spine) *Reader {
	return &Reader{rows: levelRows{view: view, conn: c}, spine: spine}
}

// Close frees the reader.
func (r *Reader) Close() error { return r.rows.close() }

// Range joins the events with from <= key < to that were received by known
// (nanoseconds since 1970; Always for all). It reads O(log n) rows where known is
// Always or the events came roughly in order.
func (r *Reader) Range(from, to Key, known int64) (Summary, error) {
	var sum Summary
	if !r.spine.Any {
		return sum, nil
	}
	r.known = known
	err := r.span(Levels, from, to, &sum)
	return sum, err
}

// span joins the events from <= key < to by whole blocks of level l where it
// can: what sticks out at either end lies within one block and is left to the level below.
func (r *Reader) span(l int, from, to Key, sum *Summary) error {
	if from.Compare(to) >= 0 {
		return nil
	}
	if l == 0 {
		return r.entries(from, to, sum)
	}
	open := r.spine.Start[l]
	start, ok := r.rows.seek(l, from)
	if !ok {
		start = open
	}
	if start.Compare(from) < 0 || start.Compare(to) >= 0 {
		return r.span(l-1, from, to, sum)
	}
	if from != start {
		if err := r.span(l-1, from, start, sum); err != nil {
			return err
		}
		if ok {
			r.rows.seek(l, start)
		}
	}
	for ok {
		block, err := r.rows.value(start)
		if err != nil {
			return err
		}
		s := *block.sum
		end, more := r.rows.next()
		if !more {
			end = open
		}
		if end.Compare(to) > 0 {
			break
		}
		switch {
		case s.MaxReceived <= r.known:
			sum.Join(&s)
		case s.MinReceived <= r.known:
			if err := r.span(l-1, start, end, sum); err != nil {
				return err
			}
			if more {
				r.rows.seek(l, end)
			}
		}
		start, ok = end, more
	}
	if err := r.rows.error(); err != nil {
		return err
	}
	return r.span(l-1, start, to, sum)
}

func (r *Reader) entries(from, to Key, sum *Summary) error {
	k, ok := r.rows.seek(0, from)
	for ok && k.Compare(to) < 0 {
		it, err := r.rows.value(k)
		if err != nil {
			return err
		}
		e := it.entry
		if e.ReceivedAt <= r.known {
			if e.Duplicates > 0 && e.LastReceivedAt > r.known {
				if err := r.knownDeliveries(e); err != nil {
					return err
				}
				r.rows.seek(0, k)
			}
			sum.Add(e)
		}
		k, ok = r.rows.next()
	}
	return r.rows.error()
}

// Entry returns one entry of the connection; false where there is none at k.
func (r *Reader) Entry(k Key) (Entry, bool, error) {
	return LoadEntry(r.rows.view, r.rows.conn, k)
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
		k, ok = r.rows.seekBefore(0, to)
	} else {
		k, ok = r.rows.seek(0, from)
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
