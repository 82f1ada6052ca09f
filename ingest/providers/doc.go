// Package providers turns "how one sender signs and what its payloads mean"
// into data: a definition is a YAML file, embedded or the user's own.
//
// Its signature part says how a request proves its origin; a Verifier checks
// that on the raw bytes, in constant time, and a failed check can be explained
// for the log. Its mapping part says, in CEL expressions, what a body means; a
// Mapper reads an Observation out of one event, or says in an Unplaceable why
// it cannot, so that the event goes to the quarantine and is never lost.
//
// Flow: ingest verifies with a definition and stores what passes, unread;
// projections map what was stored. Both import this package, which imports
// nothing of ours, reads no clock and starts no goroutine.
package providers
