// Package connections keeps one row per connection: its current state, ready to
// be served, and the indexes that lists and filters walk.
//
// Guarantee: the row is what its timeline says, because both are written in one
// batch; health and its reason are computed from the facets alone and never stored as a fact.
//
// Flow: projections load a Row, let timeline.Writer change its summary, and Put
// it back; api reads rows, lists and states.
package connections
