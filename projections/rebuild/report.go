package rebuild

import (
	"cmp"
	"slices"

	"github.com/tidemark-dev/tidemark/projections"
)

// samples is how many connections a Group names.
const samples = 5

// maxGroups bounds a Report. There are some 150 possible groups; more would be a defect.
const maxGroups = 1000

// Report sums up a comparison: counts first, then groups, the largest first.
type Report struct {
	Position uint64 `json:"position"`
	// Old and New count the connections of each side, Compared those of either.
	Old      uint64 `json:"old"`
	New      uint64 `json:"new"`
	Compared uint64 `json:"compared"`
	Added    uint64 `json:"added"`
	Removed  uint64 `json:"removed"`
	Changed  uint64 `json:"changed"`
	// Quarantine is how many events each side cannot place.
	OldQuarantine uint64  `json:"old_quarantine"`
	NewQuarantine uint64  `json:"new_quarantine"`
	Groups        []Group `json:"groups"`
}

// Group counts the connections whose facet went from one value to another. A
// connection is in as many groups as facets of it differ.
type Group struct {
	Facet string `json:"facet"`
	// Old and New are equal where the value is the same and its run or its details are not; one is
	// empty for connections added or removed, both for "counts".
	Old         string `json:"old,omitempty"`
	New         string `json:"new,omitempty"`
	Connections uint64 `json:"connections"`
	// Sample names some of them, the first by source and id.
	Sample []Sample `json:"sample"`
}

// Sample is a connection of a group, and the event at which the generations part.
type Sample struct {
	Source     string   `json:"source"`
	Connection string   `json:"connection"`
	At         *Parting `json:"at,omitempty"`
}

func newReport(old, new *projections.View) Report {
	a, b := old.Stats(), new.Stats()
	return Report{Position: old.Checkpoint().Position, Old: a.Connections, New: b.Connections, OldQuarantine: a.Quarantine, NewQuarantine: b.Quarantine}
}

// Differs reports whether any connection differs.
func (r *Report) Differs() bool { return r.Added+r.Removed+r.Changed > 0 }

func (r *Report) add(c *Change) {
	switch c.Kind {
	case Added:
		r.Added++
	case Removed:
		r.Removed++
	case Changed:
		r.Changed++
	}
	for i := range c.Facets {
		f := &c.Facets[i]
		at := f.At
		if at == nil {
			at = c.First
		}
		if g := r.group(f); g != nil {
			g.Connections++
			if len(g.Sample) < samples {
				g.Sample = append(g.Sample, Sample{c.Source, c.Connection, at})
			}
		}
	}
}

func (r *Report) group(f *FacetChange) *Group {
	for i := range r.Groups {
		if g := &r.Groups[i]; g.Facet == f.Facet && g.Old == f.Old && g.New == f.New {
			return g
		}
	}
	if len(r.Groups) == maxGroups {
		return nil
	}
	r.Groups = append(r.Groups, Group{Facet: f.Facet, Old: f.Old, New: f.New})
	return &r.Groups[len(r.Groups)-1]
}

func (r *Report) sort() {
	slices.SortStableFunc(r.Groups, func(a, b Group) int {
		return cmp.Or(-cmp.Compare(a.Connections, b.Connections), cmp.Compare(a.Facet, b.Facet), cmp.Compare(a.Old, b.Old), cmp.Compare(a.New, b.New))
	})
}
