package rebuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// Difference is the first row, in the order of keys, in which two directories differ.
type Difference struct {
	// Row says for people which row it is.
	Row string `json:"row"`
	Key []byte `json:"key"`
	// Old and New are its values; nil on the side that does not have the row.
	Old []byte `json:"old"`
	New []byte `json:"new"`
}

// String says for people what the difference is.
func (d *Difference) String() string {
	switch {
	case d.Old == nil:
		return d.Row + ": only the second has it"
	case d.New == nil:
		return d.Row + ": only the first has it"
	}
	return fmt.Sprintf("%s: %d bytes in the first, %d in the second, and they differ from byte %d on",
		d.Row, len(d.Old), len(d.New), commonPrefix(d.Old, d.New))
}

func commonPrefix(a, b []byte) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// FirstDifference returns the first row in which two directories differ, nil
// where their rows are the same. a and b are their Sums, so that only what
// differs is read. It computes beside those who are served as DiffBeside does.
func FirstDifference(ctx context.Context, old, new *projections.View, a, b Sum, o Options) (d *Difference, err error) {
	cores := o.withDefaults().cores
	turn := cores.turn()
	err = cores.apart(func() (err error) {
		for i, s := range stretches() {
			if i < len(a.stretches) && i < len(b.stretches) && a.stretches[i] == b.stretches[i] {
				continue
			}
			if d, err = s.difference(ctx, old.Rows(), new.Rows(), turn); d != nil || err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	return d, err
}

func (s stretch) difference(ctx context.Context, old, new kv.Reader, t *turn) (*Difference, error) {
	a, err := old.Iter(s.lower, s.upper)
	if err != nil {
		return nil, err
	}
	b, err := new.Iter(s.lower, s.upper)
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	d, err := firstDifference(ctx, a, b, t)
	if d != nil {
		side := old
		if d.Old == nil {
			side = new
		}
		d.Row = describe(side, d.Key)
	}
	return d, errors.Join(err, a.Close(), b.Close())
}

func firstDifference(ctx context.Context, a, b *kv.Iter, t *turn) (*Difference, error) {
	inA, inB := a.First(), b.First()
	for n := 0; inA || inB; n++ {
		if n&0xfff == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		order := 0
		switch {
		case !inB:
			order = -1
		case !inA:
			order = 1
		default:
			order = bytes.Compare(a.Key(), b.Key())
		}
		switch {
		case order < 0:
			return &Difference{Key: slices.Clone(a.Key()), Old: nonNil(a.Value())}, a.Err()
		case order > 0:
			return &Difference{Key: slices.Clone(b.Key()), New: nonNil(b.Value())}, b.Err()
		case !bytes.Equal(a.Value(), b.Value()):
			return &Difference{Key: slices.Clone(a.Key()), Old: nonNil(a.Value()), New: nonNil(b.Value())}, errors.Join(a.Err(), b.Err())
		}
		inA, inB = a.Next(), b.Next()
		t.step(1)
	}
	return nil, nil
}

func nonNil(b []byte) []byte { return append([]byte{}, b...) }
