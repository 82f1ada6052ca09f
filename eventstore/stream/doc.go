// Package stream keeps the log of record in NATS JetStream: in a server embedded in
// this process (no listener, every message fsynced), or in an external one by URL.
//
// Guarantee: it keeps the contract of package eventstore. An event whose Append returned nil
// is in the stream, synced as Durability says, and every cursor gets it once, in
// place. Damage is never skipped: a gap, a repeat or a bad checksum is an ErrIntegrity,
// although the server itself passes over damaged messages without a word. One kind of
// damage cannot show here: a tail that was cut off and whose positions were given out
// again. Whoever keeps what stood at a position (the projections' checkpoint) sees that.
//
// All events that wait while a publish is under way share the next message and its
// fsync (a commit group); a lone event waits for nobody, and there is no timer.
//
// Flow: ingest calls Append, projections read through cursors, cmd opens the Log and
// keeps its Run going. Nothing outside this package names a NATS type.
package stream
