package rebuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// How a connection changed.
const (
	Added   = "added"   // only the new generation knows it
	Removed = "removed" // only the old one does
	Changed = "changed"
)

// Change is what two generations say differently of one connection.
type Change struct {
	Source     string `json:"source"`
	Connection string `json:"connection"`
	// Kind is "added", "removed" or "changed".
	Kind string `json:"kind" enum:"added,removed,changed"`
	// Facets lists what differs: the facets, "health" and "counts" beside them.
	Facets []FacetChange `json:"facets,omitempty"`
	// First is the earliest event at which the generations part.
	First *Parting `json:"first,omitempty"`
	// Old and New are the whole states; nil on the side that does not know the connection.
	Old *connections.State `json:"old,omitempty"`
	New *connections.State `json:"new,omitempty"`
}

// FacetChange is what differs in one facet.
type FacetChange struct {
	// Facet is a facet's name, "health" or "counts".
	Facet string `json:"facet"`
	// Old and New are its values. They are equal where only the run or its details
	// differ, and empty for "counts".
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
	// What lists what differs: "value", "since" (the run's first event), "detail", "outcomes" (of syncs), or the counts.
	What []string `json:"what"`
	// At is the first event at which the two part in this facet; none for "health".
	At *Parting `json:"at,omitempty"`
}

// Diff compares what two generations say of every connection and calls fn for
// each that differs, ordered by source and id. It needs memory for one connection, whatever
// their number. What differs between events of one instant and shows in no state, at no time, and in no count or
// duration is no difference here; a verification finds it. Both views have to stand at one position. The Change is fn's to keep; an
// error of fn ends the comparison and is returned.
func Diff(ctx context.Context, old, new *projections.View, fn func(*Change) error) (Report, error) {
	return DiffBeside(ctx, old, new, Options{}, fn)
}

// DiffBeside is Diff beside those who are served, as Aside, Rest and Now of the options say; nothing else of them counts. With Aside it
// computes, and calls fn, in a goroutine of its own.
func DiffBeside(ctx context.Context, old, new *projections.View, o Options, fn func(*Change) error) (Report, error) {
	a, b := old.Checkpoint(), new.Checkpoint()
	if a.Position != b.Position {
		return Report{}, fmt.Errorf("compare generations: one stands at position %d and the other at %d", a.Position, b.Position)
	}
	cores := o.withDefaults().cores
	d := diff{old: old.Rows(), new: new.Rows(), report: newReport(old, new), fn: fn, turn: cores.turn()}
	err := cores.apart(func() error { return d.run(ctx) })
	d.report.sort()
	return d.report, err
}

type diff struct {
	old, new kv.Reader
	report   Report
	fn       func(*Change) error
	turn     *turn
}

func (d *diff) run(ctx context.Context) error {
	lower, upper := []byte{connections.PrefixRow}, []byte{connections.PrefixRow + 1}
	a, err := d.old.Iter(lower, upper)
	if err != nil {
		return err
	}
	b, err := d.new.Iter(lower, upper)
	if err != nil {
		return errors.Join(err, a.Close())
	}
	err = d.merge(ctx, a, b)
	return errors.Join(err, a.Close(), b.Close())
}

// merge walks the connections of both sides in the order of their names.
func (d *diff) merge(ctx context.Context, a, b *kv.Iter) error {
	inA, inB := a.First(), b.First()
	for n := 0; inA || inB; n++ {
		if n&0xff == 0 && ctx.Err() != nil {
			return ctx.Err()
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
		d.report.Compared++
		d.turn.step(1)
		var c *Change
		var err error
		switch {
		case order < 0:
			c, err = d.oneSided(d.old, a, Removed)
		case order > 0:
			c, err = d.oneSided(d.new, b, Added)
		case !bytes.Equal(a.Value(), b.Value()):
			c, err = d.changed(a, b)
		}
		if err != nil {
			return err
		}
		if c != nil {
			d.report.add(c)
			d.turn.step(glance) // where the two part was looked for
			if err := d.fn(c); err != nil {
				return err
			}
		}
		if order <= 0 {
			inA = a.Next()
		}
		if order >= 0 {
			inB = b.Next()
		}
	}
	return errors.Join(a.Err(), b.Err())
}

// oneSided is the change of a connection that one side does not know.
func (d *diff) oneSided(r kv.Reader, it *kv.Iter, kind string) (*Change, error) {
	var row connections.Row
	if err := row.Decode(it.Key(), it.Value()); err != nil {
		return nil, err
	}
	s := row.State()
	c := &Change{Source: row.Source, Connection: row.ID, Kind: kind}
	if kind == Added {
		c.New = &s
		c.Facets = []FacetChange{{Facet: "health", New: s.Health, What: []string{"value"}}}
	} else {
		c.Old = &s
		c.Facets = []FacetChange{{Facet: "health", Old: s.Health, What: []string{"value"}}}
	}
	var err error
	c.First, err = firstOf(r, &row, kind)
	return c, err
}

func (d *diff) changed(a, b *kv.Iter) (*Change, error) {
	var old, new connections.Row
	if err := old.Decode(a.Key(), a.Value()); err != nil {
		return nil, err
	}
	if err := new.Decode(b.Key(), b.Value()); err != nil {
		return nil, err
	}
	os, ns := old.State(), new.State()
	c := &Change{Source: old.Source, Connection: old.ID, Kind: Changed, Old: &os, New: &ns}
	p := newPair(d.old, d.new, &old, &new)
	ov, nv := connections.Values(&old.Sum), connections.Values(&new.Sum)
	for f := range providers.NumFacets {
		what := facetDiffers(f, &old, &new)
		if len(what) == 0 {
			continue
		}
		at, err := p.facet(f)
		if err != nil {
			return nil, err
		}
		c.Facets = append(c.Facets, FacetChange{Facet: f.String(), Old: f.ValueName(ov[f]), New: f.ValueName(nv[f]), What: what, At: at})
		c.First = earlier(c.First, at)
	}
	if os.Health != ns.Health {
		c.Facets = append(c.Facets, FacetChange{Facet: "health", Old: os.Health, New: ns.Health, What: []string{"value"}})
	}
	if what := countsDiffer(&old.Sum, &new.Sum); len(what) > 0 {
		at, err := p.counts()
		if err != nil {
			return nil, err
		}
		c.Facets = append(c.Facets, FacetChange{Facet: "counts", What: what, At: at})
		c.First = earlier(c.First, at)
	}
	if len(c.Facets) == 0 { // the rows differ, so something has to be said
		c.Facets = append(c.Facets, FacetChange{Facet: "counts", What: []string{"blocks"}})
	}
	return c, nil
}
