package connections

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// First bytes of this package's rows.
const (
	prefixRow    = 'm' // m source NUL id -> Row
	prefixName   = 'n' // n conn -> source NUL id
	prefixHealth = 'h' // h health source NUL id -> nothing
)

// Row is what is stored of a connection: its state, and what the next event needs.
type Row struct {
	Source, ID string
	Sum        timeline.Summary
	Spine      timeline.Spine
	Setters    Setters
}

// State returns the connection's current state.
func (r *Row) State() State { return StateOf(r.Source, r.ID, &r.Sum, &r.Setters) }

// Health returns the connection's current health.
func (r *Row) Health() Health { return healthOf(Values(&r.Sum)) }

// Load reads a connection's row; false where there is none.
func Load(r kv.Reader, source, id string) (Row, bool, error) {
	row := Row{Source: source, ID: id}
	b, ok, err := r.Get(nil, rowKey(nil, source, id))
	if err != nil || !ok {
		return row, false, err
	}
	return row, true, row.decode(b)
}

// Put writes a connection's row and keeps its indexes. before is its health
// in the directory, 0 for a connection that is new there.
func Put(b *kv.Batch, row *Row, before Health) error {
	key := rowKey(make([]byte, 0, 128), row.Source, row.ID)
	if err := b.Set(key, row.append(make([]byte, 0, 512))); err != nil {
		return err
	}
	now := row.Health()
	if before == now {
		return nil
	}
	if before == 0 {
		c := timeline.ConnOf(row.Source, row.ID)
		if err := b.Set(append([]byte{prefixName}, c[:]...), key[1:]); err != nil {
			return err
		}
	} else if err := b.Delete(healthKey(before, key[1:])); err != nil {
		return err
	}
	return b.Set(healthKey(now, key[1:]), nil)
}

// NameOf returns source and id of a connection; false where it is not known.
func NameOf(r kv.Reader, c timeline.Conn) (source, id string, ok bool, err error) {
	b, ok, err := r.Get(nil, append([]byte{prefixName}, c[:]...))
	if err != nil || !ok {
		return "", "", false, err
	}
	source, id = splitName(b)
	return source, id, true, nil
}

func (r *Row) append(dst []byte) []byte {
	dst = timeline.AppendSummary(dst, &r.Sum)
	dst = r.Spine.AppendTo(dst)
	for f := range r.Setters {
		if r.Sum.Facets[f].Sets == 0 {
			continue
		}
		// One event mostly begins the runs of several facets: the same as before, behind a number.
		before := r.sameEvent(f)
		dst = append(dst, byte(before))
		if before == 0 {
			dst = append(dst, r.Setters[f].Event[:]...)
		}
		dst = timeline.AppendDetail(dst, &r.Setters[f].Detail)
	}
	return dst
}

// sameEvent returns 1 plus the first facet before f that the same event began, 0 where there is none.
func (r *Row) sameEvent(f int) int {
	for g := range f {
		if r.Sum.Facets[g].Sets > 0 && r.Setters[g].Event == r.Setters[f].Event {
			return g + 1
		}
	}
	return 0
}

func (r *Row) decode(b []byte) error {
	b, err := timeline.DecodeSummary(b, &r.Sum)
	if err == nil {
		b, err = timeline.DecodeSpine(b, &r.Spine)
	}
	for f := range r.Setters {
		if err != nil || r.Sum.Facets[f].Sets == 0 {
			continue
		}
		if b, err = r.decodeEvent(f, b); err == nil {
			b, err = timeline.DecodeDetail(b, &r.Setters[f].Detail)
		}
	}
	if err == nil && len(b) != 0 {
		err = errors.New("row has bytes left over")
	}
	if err != nil {
		return fmt.Errorf("%w: row of connection %q of source %s: %w", kv.ErrDamaged, r.ID, r.Source, err)
	}
	return nil
}

// decodeEvent reads which event began a facet's run and returns the bytes behind it.
func (r *Row) decodeEvent(f int, b []byte) ([]byte, error) {
	switch {
	case len(b) > 0 && b[0] > 0 && int(b[0]) <= f:
		r.Setters[f].Event = r.Setters[b[0]-1].Event
		return b[1:], nil
	case len(b) < 17 || b[0] != 0:
		return nil, errors.New("row is cut short, or names a facet that is not before")
	}
	copy(r.Setters[f].Event[:], b[1:])
	return b[17:], nil
}

// A source holds no NUL and the id comes last, so any id can follow as it is.
func rowKey(dst []byte, source, id string) []byte {
	dst = append(dst, prefixRow)
	dst = append(dst, source...)
	dst = append(dst, 0)
	return append(dst, id...)
}

func healthKey(h Health, name []byte) []byte {
	return append([]byte{prefixHealth, byte(h)}, name...)
}

func splitName(b []byte) (source, id string) {
	s, i, _ := bytes.Cut(b, []byte{0})
	return string(s), string(i)
}
