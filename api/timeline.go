package api

import (
	"context"
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
	Source     string    `path:"source" doc:"Configured source"`
	Connection string    `path:"connection" doc:"The provider's connection id, percent-encoded: / is %2F"`
	Order      string    `query:"order" enum:"desc,asc" default:"desc" doc:"desc: the latest first"`
	From       time.Time `query:"from" doc:"Only events of this effective time or later"`
	To         time.Time `query:"to" doc:"Only events before this effective time"`
	Type       []string  `query:"type,explode" doc:"Only events of exactly this type; give it more than once for any of several"`
	Limit      int       `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"The most items on a page"`
	Cursor     string    `query:"cursor" doc:"next of the page before"`
}

func (h *Handler) addTimeline() {
	get(h, huma.Operation{
		OperationID: "list-connection-events", Path: "/v1/connections/{source}/{connection}/events", Tags: []string{"connections"},
		Summary: "The timeline of one connection",
		Description: "In the order of effective time. With type, a page may hold fewer items than limit, or none, and still have a next: " +
			"follow next until it is null.",
	}, h.timeline)
}

func (h *Handler) timeline(_ context.Context, in *timelineInput) (*body[Page[Entry]], error) {
	if !in.From.IsZero() && !in.To.IsZero() && in.To.Before(in.From) {
		return nil, invalidParameters(ParameterError{"to", "is before from"})
	}
	l := newList("events", in.Source, in.Connection, in.Order).any(in.Type).between(in.From, in.To)
	place, err := l.place(in.Cursor)
	if err != nil {
		return nil, err
	}
	span := projections.Span{From: in.From, To: in.To, Descending: in.Order == "desc"}
	if place != nil {
		key := timeline.DecodeKey(place) // the cursor's sum vouches for its length
		span.After = &key
	}
	page := Page[Entry]{Items: make([]Entry, 0, min(in.Limit, 64))}
	err = h.view(func(v *projections.View) error {
		var last []byte
		scanned := 0
		err := v.Timeline(in.Source, in.Connection, span, func(e *timeline.Entry) bool {
			if len(page.Items) == in.Limit || scanned == h.maxScan {
				page.Next = l.cursor(last)
				return false
			}
			scanned++
			last = e.Key.AppendTo(last[:0])
			if len(in.Type) == 0 || slices.Contains(in.Type, e.Type) {
				page.Items = append(page.Items, entryOf(e))
			}
			return true
		})
		return h.unknownConnection(v, in.Source, in.Connection, err)
	})
	return &body[Page[Entry]]{page}, err
}
