package api

import (
	"context"
	"errors"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// Difference compares a connection's states at two instants of one clock.
type Difference struct {
	Source     string    `json:"source"`
	Connection string    `json:"connection"`
	Axis       string    `json:"axis" enum:"valid,known" doc:"Whose clock from and to are of: valid, what was true then; known, what was known then"`
	From       time.Time `json:"from"`
	To         time.Time `json:"to"`
	// Different says whether a facet's value, or since when it holds, differs.
	Different bool          `json:"different" doc:"Whether the value of a facet, or since when it holds, differs"`
	Changed   []FacetChange `json:"changed" nullable:"false" doc:"The facets that differ"`
	Events    uint64        `json:"events" doc:"How many events of the connection lie between"`
	// Was is nil where nothing of the connection had happened, or was known, at From.
	Was *State `json:"was" required:"true" doc:"The state at from; null where there was none yet"`
	Is  State  `json:"is" doc:"The state at to"`
}

// FacetChange is one facet at both instants.
type FacetChange struct {
	Facet string                 `json:"facet"`
	Was   connections.FacetState `json:"was"`
	Is    connections.FacetState `json:"is"`
}

type diffInput struct {
	ConnectionPath
	From string `query:"from" format:"date-time" required:"true" doc:"The first instant"`
	To   string `query:"to" format:"date-time" doc:"The second instant; without it, now"`
	Axis string `query:"axis" enum:"valid,known" default:"valid" doc:"valid: what was true at either time, by all that is known now. known: what was known at either time"`
	WhenQuery
}

func (h *Handler) addDiff() {
	get(h, huma.Operation{
		OperationID: "diff-connection", Path: "/v1/connections/{source}/{connection}/diff", Tags: []string{"connections"},
		Summary: "How the states of one connection at two instants differ",
		Description: "from and to are instants of the clock that axis names; the other clock may be held with known_at (axis=valid) or " +
			"valid_at (axis=known).",
	}, h.diff)
}

func (h *Handler) diff(_ context.Context, in *diffInput) (*body[Difference], error) {
	if in.From == "" {
		return nil, invalidParameters(ParameterError{"from", "is missing: give a time such as 2026-01-02T15:04:05Z"})
	}
	from, to := timeOf(in.From), timeOf(in.To)
	if in.To == "" {
		to = h.o.Now().UTC()
	}
	if to.Before(from) {
		return nil, invalidParameters(ParameterError{"to", "is before from"})
	}
	was, is := in.when(), in.when()
	switch {
	case in.Axis == "valid" && in.ValidAt != "":
		return nil, invalidParameters(ParameterError{"valid_at", "goes with axis=known: from and to are instants of this clock"})
	case in.Axis == "known" && in.KnownAt != "":
		return nil, invalidParameters(ParameterError{"known_at", "goes with axis=valid: from and to are instants of this clock"})
	case in.Axis == "valid":
		was.ValidAt, is.ValidAt = from, to
	default:
		was.KnownAt, is.KnownAt = from, to
	}
	d := Difference{Source: in.Source, Connection: in.Connection, Axis: in.Axis, From: from, To: to}
	err := h.view(func(v *projections.View) error {
		var err error
		if d.Is, err = v.ConnectionAt(in.Source, in.Connection, is); err != nil {
			return h.missing(v, in.Source, in.Connection, is, err)
		}
		before, err := v.ConnectionAt(in.Source, in.Connection, was)
		if err == nil {
			d.Was = &before
		} else if !errors.Is(err, projections.ErrNotFound) {
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	d.compare()
	return &body[Difference]{d}, nil
}

// compare fills in what differs between Was and Is.
func (d *Difference) compare() {
	was := connections.StateOf(d.Source, d.Connection, new(timeline.Summary), new(connections.Setters)) // of no event
	if d.Was != nil {
		was = *d.Was
	}
	d.Events = d.Is.Counts.Events - was.Counts.Events
	d.Changed = []FacetChange{}
	before, after := facetsOf(&was), facetsOf(&d.Is)
	for f := range before {
		if a, b := before[f], after[f]; a.Value != b.Value || a.Event != b.Event {
			d.Changed = append(d.Changed, FacetChange{providers.Facet(f).String(), a, b})
		}
	}
	d.Different = len(d.Changed) > 0
}

func facetsOf(s *State) [providers.NumFacets]connections.FacetState {
	return [...]connections.FacetState{
		providers.Lifecycle: s.Lifecycle, providers.Connectivity: s.Connectivity, providers.Auth: s.Auth.FacetState,
		providers.Sync: s.Sync.FacetState, providers.Error: s.Error.FacetState,
	}
}
