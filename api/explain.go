package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tidemark-dev/tidemark/projections"
)

// Explanation says why a connection's state is what it is, facet by facet.
type Explanation = projections.Explanation

type explainInput struct {
	ConnectionPath
	WhenQuery
}

func (h *Handler) addExplain() {
	get(h, huma.Operation{
		OperationID: "explain-connection", Path: "/v1/connections/{source}/{connection}/explain", Tags: []string{"connections"},
		Summary: "Why the state of one connection is what it is",
		Description: "For each facet: the event that set it, by which rule of the mapping and by whose clock, and the late, duplicate or overridden events " +
			"that it won over, as data and in words.",
	}, h.explain)
}

func (h *Handler) explain(_ context.Context, in *explainInput) (*body[Explanation], error) {
	out := new(body[Explanation])
	err := h.view(func(v *projections.View) (err error) {
		out.Body, err = v.Explain(in.Source, in.Connection, in.when())
		return h.missing(v, in.Source, in.Connection, in.when(), err)
	})
	return out, err
}
