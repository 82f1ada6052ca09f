// Package projectiontest is the law of projections as a kit: state is a pure
// function of the set of events.
//
// It draws histories of makini webhooks with ties, gaps, duplicates, conflicts
// and skewed clocks, and holds what a projection says to an oracle that sorts the
// events and folds them one by one, written from the contract and not from the
// code under test. Delivery order, batch sizes and crash points are drawn too.
//
// Flow: tests only. Every projection's tests use it.
package projectiontest
