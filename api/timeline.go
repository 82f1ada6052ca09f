package api

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// maxScan bounds the entries that one page looks at: a rare type on a long
// timeline is found over several pages, none of which takes long.
const maxScan = 20_000

type timelineInput struct {
	ConnectionPath
	Order string    `query:"order" enum:"desc,asc" default:"desc" doc:"desc: the latest first"`
	From  time.Time `query:"from" doc:"Only events of this effective time or later"`
	To    time.Time `query:"to" doc:"Only events before this effective time"`
	Type  []string  `query:"type,explode" doc:"Only events of exactly this type; give it more than once for any of several"`
	ListQuery
	WhenQuery
	Corrections bool `query:"corrections" doc:"true: late entries say what they changed of the past (not in CSV)"`
}

func (h *Handler) addTimeline() {
	get(h, huma.Operation{
		OperationID: "list-connection-events", Path: "/v1/connections/{source}/{connection}/events", Tags: []string{"connections"},
		Summary: "The timeline of one connection",
		Description: "In the order of effective time. With type or known_at, a page may hold fewer items than limit, or none, and still have a next: " +
			"follow next until it is null.",
		Responses: listResponses[Entry](h),
	}, h.timeline)
}

func (h *Handler) timeline(ctx context.Context, in *timelineInput) (*streamed, error) {
	if err := inOrder(in.From, in.To); err != nil {
		return nil, err
	}
	w := in.when()
	return answer(ctx, h, &in.ListQuery, &lister[Entry]{
		cursors: newList("events", in.Source, in.Connection, in.Order).any(in.Type).between(in.From, in.To).at(w),
		columns: entryColumns, name: "events", when: w,
		walk: func(v *projections.View, place []byte, each func(*Entry, []byte) bool) error {
			return h.missing(v, in.Source, in.Connection, w, h.entries(v, in, place, each))
		},
	})
}

// entries walks the timeline as the query asks for it.
func (h *Handler) entries(v *projections.View, in *timelineInput, place []byte, each func(*Entry, []byte) bool) error {
	w := in.when()
	if !w.IsNow() { // a connection that was not known then is no empty timeline
		if _, err := v.ConnectionAt(in.Source, in.Connection, w); err != nil {
			return err
		}
	}
	span := projections.Span{From: in.From, To: in.To, Descending: in.Order == "desc"}
	if place != nil {
		key := timeline.DecodeKey(place) // the cursor's sum vouches for its length
		span.After = &key
	}
	var failed error
	var at []byte
	err := v.TimelineAt(in.Source, in.Connection, span, w, func(e *timeline.Entry, known bool) bool {
		at = e.Key.AppendTo(at[:0])
		if !known || len(in.Type) > 0 && !slices.Contains(in.Type, e.Type) {
			return each(nil, at)
		}
		out := entryOf(e)
		if in.Corrections {
			if out.Corrections, failed = v.CorrectionsOf(in.Source, in.Connection, e); failed != nil {
				return false
			}
		}
		return each(&out, at)
	})
	return errors.Join(err, failed)
}
