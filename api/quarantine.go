package api

import (
	"context"
	"encoding/binary"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tidemark-dev/tidemark/projections"
)

type quarantineInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"The most items on a page"`
	Cursor string `query:"cursor" doc:"next of the page before"`
}

func (h *Handler) addQuarantine() {
	get(h, huma.Operation{
		OperationID: "list-quarantine", Path: "/v1/quarantine", Tags: []string{"events"},
		Summary:     "Events that the mapping could not place",
		Description: "In the order of the log. They are kept like any other event, and leave the quarantine when the mapping is mended.",
	}, h.quarantine)
}

func (h *Handler) quarantine(_ context.Context, in *quarantineInput) (*body[Page[Quarantine]], error) {
	l := newList("quarantine")
	place, err := l.place(in.Cursor)
	if err != nil {
		return nil, err
	}
	var position uint64
	var index uint32
	if place != nil { // the cursor's sum vouches for its length
		position, index = binary.BigEndian.Uint64(place), binary.BigEndian.Uint32(place[8:])
	}
	page := Page[Quarantine]{Items: make([]Quarantine, 0, min(in.Limit, 64))}
	err = h.view(func(v *projections.View) error {
		return v.Quarantine(position, index, func(q Quarantine) bool {
			if n := len(page.Items); n == in.Limit {
				last := page.Items[n-1]
				page.Next = l.cursor(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, last.Position), last.Index))
				return false
			}
			page.Items = append(page.Items, q)
			return true
		})
	})
	return &body[Page[Quarantine]]{page}, err
}
