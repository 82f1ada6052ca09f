package api

import (
	"context"
	"encoding/binary"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tidemark-dev/tidemark/projections"
)

type quarantineInput struct {
	ListQuery
}

func (h *Handler) addQuarantine() {
	get(h, huma.Operation{
		OperationID: "list-quarantine", Path: "/v1/quarantine", Tags: []string{"events"},
		Summary:     "Events that the mapping could not place",
		Description: "In the order of the log. They are kept like any other event, and leave the quarantine when the mapping is mended.",
		Responses:   listResponses[Quarantine](h),
	}, h.quarantine)
}

func (h *Handler) quarantine(ctx context.Context, in *quarantineInput) (*streamed, error) {
	return answer(ctx, h, &in.ListQuery, &lister[Quarantine]{
		cursors: newList("quarantine"), columns: quarantineColumns, name: "quarantine",
		walk: func(v *projections.View, place []byte, each func(*Quarantine, []byte) bool) error {
			var position uint64
			var index uint32
			if place != nil { // the cursor's sum vouches for its length
				position, index = binary.BigEndian.Uint64(place), binary.BigEndian.Uint32(place[8:])
			}
			return v.Quarantine(position, index, func(q Quarantine) bool {
				return each(&q, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, q.Position), q.Index))
			})
		},
	})
}
