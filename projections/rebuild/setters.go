package rebuild

import (
	"fmt"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// setters follows the events that set the facets of one connection, in order: of each
// facet the first event of the current run of equal values, and the last one. It
// keeps rows as they are and reads a Detail only at the end.
type setters [providers.NumFacets]setter

type setter struct {
	value providers.Value
	event ulid.ULID    // the first of the run
	last  timeline.Key // the last
	row   []byte       // of the last, empty if it carries no Detail
}

func (s *setters) begin() {
	for f := range s {
		s[f].value, s[f].row = providers.Unset, s[f].row[:0]
	}
}

func (s *setters) add(e *timeline.Entry, row []byte) {
	for f, v := range e.Sets {
		if v == providers.Unset {
			continue
		}
		by := &s[f]
		if v != by.value {
			by.value, by.event = v, e.Event
		}
		by.last, by.row = e.Key, by.row[:0]
		if timeline.HasDetail(row) {
			by.row = append(by.row, row...)
		}
	}
}

func (s *setters) finish(to *connections.Setters) error {
	for f := range s {
		by := &s[f]
		to[f] = connections.Setter{}
		if by.value == providers.Unset {
			continue
		}
		to[f].Event = by.event
		if len(by.row) == 0 {
			continue
		}
		var e timeline.Entry
		if err := timeline.DecodeEntry(by.last, by.row, &e, false); err != nil {
			return fmt.Errorf("%w: timeline entry: %w", kv.ErrDamaged, err)
		}
		to[f].Detail = e.Detail
	}
	return nil
}
