package api

import (
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/connections"
)

// Page is one page of a list.
type Page[T any] struct {
	// Items may be fewer than asked for, or none, on a page that is not the last.
	Items []T `json:"items" nullable:"false" doc:"May be fewer than limit, or none, on a page that is not the last"`
	// Next is the cursor of the next page, nil on the last.
	Next *string `json:"next" required:"true" doc:"The cursor of the next page; null on the last one"`
	// AsOf is nil but for a question about an earlier instant.
	AsOf *AsOf `json:"as_of,omitempty" doc:"Of a question about an earlier instant: which, and what the answer stands on"`
}

// State is the state of one connection.
type State = connections.State

// Quarantine is an event that the mapping could not place.
type Quarantine = projections.Quarantine
