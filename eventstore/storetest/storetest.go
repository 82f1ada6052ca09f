// Package storetest is the conformance suite of the log: what every store of events
// guarantees, as tests that the in-memory store, the embedded stream and an
// external server all pass. It also gives other tests events to work with.
//
// Guarantee: a store that passes Run keeps the contract of package eventstore as far
// as a test without faults can see it; damage and crashes are tested beside each store.
package storetest

import "github.com/tidemark-dev/tidemark/eventstore"

// Store is what the suite looks at: a log that can be written and read.
type Store interface {
	eventstore.Appender
	eventstore.Reader
}
