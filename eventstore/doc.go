// Package eventstore defines the log of record: what an event is, how events
// are grouped into messages, and what a store of them guarantees.
//
// Guarantee: an event whose Append returned nil is fsynced, is returned by
// every later read exactly once and byte for byte, and never changes place.
//
// Flow: ingest appends; projections read. The package imports nothing of ours;
// eventstore/stream keeps the log in NATS JetStream, eventstore/memstore is the
// in-memory twin for tests, and eventstore/storetest holds both to this contract.
package eventstore
