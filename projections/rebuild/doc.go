// Package rebuild makes a whole generation of the projections anew from the
// log, or folds one anew from its own timelines, and says in what two generations differ.
//
// Guarantee: Build leaves the same rows, byte for byte, that the live
// projections.Projector makes of the same log with the same definitions; in memory that does
// not grow with the log but for some fifty bytes a connection; and after a
// crash at any moment it goes on from the last part that was taken in. A
// generation is finished only where every position was read once and every event is accounted for:
// else ErrIncomplete, and the directory stays unfinished and cannot be read.
//
// Flow: eventstore.Cursor → parcels, mapped in parallel → fates, decided in
// the order of the log → chunks, sorted and taken in as tables → timelines, folded
// in the order of their keys. See docs/adr/0002-rebuild.md.
package rebuild
