package projections

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// Place is where an event stands in the log.
type Place struct {
	Position uint64
	Index    uint32
}

// Places returns where the events of a connection stand in the log, further
// deliveries of them included, in the order of the log: those of the first limit events of its
// timeline. cut is true where it has more. It returns ErrNotFound for a connection that is not there.
func (v *View) Places(source, id string, limit int) (places []Place, cut bool, err error) {
	row, err := v.row(source, id)
	if err != nil {
		return nil, false, err
	}
	r, deliveries := v.reader(&row), v.reader(&row)
	n := 0
	var failed error
	err = r.Walk(timeline.MinKey, timeline.MaxKey, false, func(e *timeline.Entry) bool {
		if cut = n == limit; cut {
			return false
		}
		n++
		places = append(places, Place{e.Key.Position, e.Key.Index})
		if e.Duplicates > 0 {
			var again []timeline.Delivery
			again, failed = deliveries.Deliveries(e.Key, limit)
			for _, d := range again {
				places = append(places, Place{d.Position, d.Index})
			}
		}
		return failed == nil
	})
	slices.SortFunc(places, func(a, b Place) int {
		return cmp.Or(cmp.Compare(a.Position, b.Position), cmp.Compare(a.Index, b.Index))
	})
	return places, cut, errors.Join(err, failed, r.Close(), deliveries.Close())
}

// PositionAt returns the first position that holds an event received at t or
// later, 0 where there is none up to the checkpoint.
func (v *View) PositionAt(t time.Time) (uint64, error) {
	at := uint64(max(0, t.UnixMilli()))
	it, err := v.kv.Iter(receivedKey(at-min(at, v.meta.Checkpoint.WidestMs), 0), []byte{prefixReceived + 1})
	if err != nil {
		return 0, err
	}
	for ok := it.First(); ok; ok = it.Next() {
		k, last := it.Key(), it.Value()
		if len(k) != 17 || len(last) != 6 {
			return 0, errors.Join(fmt.Errorf("%w: index of times: %w", kv.ErrDamaged, errRow), it.Close())
		}
		var id ulid.ULID
		copy(id[:], last)
		if id.Time() >= at {
			return binary.BigEndian.Uint64(k[9:]), it.Close()
		}
	}
	return 0, it.Close()
}
