package api

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// Correction is what a late event changed of the past.
type Correction = projections.Correction

type correctionsInput struct {
	ConnectionPath
	Order string    `query:"order" enum:"desc,asc" default:"desc" doc:"desc: the latest first"`
	From  time.Time `query:"from" doc:"Only late events of this effective time or later"`
	To    time.Time `query:"to" doc:"Only late events before this effective time"`
	ListQuery
}

func (h *Handler) addCorrections() {
	get(h, huma.Operation{
		OperationID: "list-corrections", Path: "/v1/connections/{source}/{connection}/corrections", Tags: []string{"connections"},
		Summary: "What late events changed of a connection's past",
		Description: "One item for each facet that a late event changed: what it was taken for until then, what it was, from when to when, and when we " +
			"learned it. In the order of the late events' effective time. A page may hold fewer items than limit, or none, and still have a next.",
		Responses: listResponses[Correction](h),
	}, h.corrections)
}

func (h *Handler) corrections(ctx context.Context, in *correctionsInput) (*streamed, error) {
	if err := inOrder(in.From, in.To); err != nil {
		return nil, err
	}
	span := projections.Span{From: in.From, To: in.To, Descending: in.Order == "desc"}
	return answer(ctx, h, &in.ListQuery, &lister[Correction]{
		cursors: newList("corrections", in.Source, in.Connection, in.Order).between(in.From, in.To),
		columns: correctionColumns, name: "corrections",
		walk: func(v *projections.View, place []byte, each func(*Correction, []byte) bool) error {
			begin, skip := correctionPlace(place, &span)
			err := v.Corrections(in.Source, in.Connection, begin, func(late timeline.Key, changed []Correction) bool {
				at := late.AppendTo(nil)
				if len(changed) == 0 {
					return each(nil, append(at, 0))
				}
				for i := range changed {
					if i < skip {
						continue // the page before had it
					}
					if !each(&changed[i], append(at, byte(i+1))) {
						return false
					}
				}
				skip = 0
				return true
			})
			return h.missing(v, in.Source, in.Connection, projections.When{}, err)
		},
	})
}

// correctionPlace returns where a list of corrections goes on: its place is a
// late event's key and how many of the corrections by that event were given.
func correctionPlace(place []byte, s *projections.Span) (begin projections.Span, skip int) {
	begin = *s
	if place == nil { // the cursor's sum vouches for its length
		return begin, 0
	}
	key := timeline.DecodeKey(place)
	skip = int(place[timeline.KeySize])
	// After leaves its own key out, and this event may have more to tell: begin just before it.
	if s.Descending {
		key = key.Next()
	} else if key.Index > 0 {
		key.Index--
	} else {
		key.Position, key.Index = key.Position-1, ^uint32(0)
	}
	begin.After = &key
	return begin, skip
}

// inOrder refuses a span whose end lies before its beginning.
func inOrder(from, to time.Time) error {
	if !from.IsZero() && !to.IsZero() && to.Before(from) {
		return invalidParameters(ParameterError{"to", "is before from"})
	}
	return nil
}
