package rebuild

import (
	"errors"
	"fmt"
	"math"

	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// streams are the rows of a range of connections that a fold reads side by side,
// all in the order of connections, entries and deliveries.
type streams struct {
	names, entries, deliveries *kv.Iter
	open                       []*kv.Iter
}

func openStreams(r kv.Reader, b byte) (*streams, error) {
	s := &streams{}
	for _, to := range []struct {
		prefix byte
		it     **kv.Iter
	}{
		{connections.PrefixName, &s.names}, {timeline.PrefixEntry, &s.entries}, {timeline.PrefixDelivery, &s.deliveries},
	} {
		lower, upper := []byte{to.prefix, b}, []byte{to.prefix, b + 1}
		if b == math.MaxUint8 {
			upper = []byte{to.prefix + 1}
		}
		it, err := r.Iter(lower, upper)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		it.First()
		s.open = append(s.open, it)
		*to.it = it
	}
	return s, nil
}

// deliveriesOf counts the further deliveries of the entry at k into e, and
// reports whether there are any.
func (s *streams) deliveriesOf(conn timeline.Conn, k timeline.Key, e *timeline.Entry) (bool, error) {
	e.CountNone()
	for s.deliveries.Valid() {
		c, of, rest, ok := timeline.SplitEntryKey(s.deliveries.Key())
		if !ok {
			return false, fmt.Errorf("%w: key of a further delivery", kv.ErrDamaged)
		}
		if c != conn || of != k {
			break
		}
		d, err := timeline.DecodeDelivery(rest, s.deliveries.Value())
		if err != nil {
			return false, fmt.Errorf("%w: further delivery: %w", kv.ErrDamaged, err)
		}
		e.Count(&d)
		s.deliveries.Next()
	}
	return e.Duplicates > 0, nil
}

func (s *streams) err() error {
	var errs []error
	for _, it := range s.open {
		errs = append(errs, it.Err())
	}
	return errors.Join(errs...)
}

func (s *streams) close() error {
	var errs []error
	for _, it := range s.open {
		errs = append(errs, it.Close())
	}
	return errors.Join(errs...)
}
