// Package api answers questions over HTTP: the state of connections, their
// timelines, single events with their exact bytes, the quarantine, counts, health
// and metrics, described by an OpenAPI 3.1 document and a page for people.
//
// Guarantees: an answer stands on one view of the projections and is never half
// of two; a cursor stays valid while events arrive; every error is an RFC 9457
// problem with a stable code, and none shows what is inside the server; bytes from
// outside are never served as anything a browser would run. What changes
// something is a POST that needs an admin's key and answers no page of another site; it
// steers rebuilds and the quarantine, and nothing here writes by itself.
//
// Flow: cmd builds a Handler over projections.View and eventstore.Reader; the
// command line and other programs decode the types that this package exports.
package api
