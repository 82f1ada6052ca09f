// Package projections turns the log into what users ask for: each event is
// mapped, put in its place on its connection's timeline, counted as a duplicate,
// or quarantined; state, timeline, indexes and checkpoint change in one batch.
//
// Guarantee: after any batch the directory is a function of the events up to
// the checkpoint, whatever the size of the batches and wherever a crash fell. No
// position is skipped: a gap, a repeat, damage, or a log that ends before the
// checkpoint stops the projection with an error that names it.
//
// Flow: eventstore.Reader → Runner → Projector → kv; api reads through View.
package projections
