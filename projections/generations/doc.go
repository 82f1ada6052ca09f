// Package generations keeps one complete set of projections serving, and makes
// others beside it: to take over after a bug was mended, or only to be compared.
//
// Guarantee: a reader sees a whole generation or another whole one, never a
// half-built one. A generation takes over only after every event of the log was
// accounted for, and the one before it stays for a rollback. What a rebuild has
// reached survives a crash. Definitions may change while it runs: what serves goes on with those that it was
// made with until a generation of the new ones takes over.
//
// Effects (alerts, when they come) belong to the serving generation's Hub and are
// keyed by event: a generation that is being made has none, so nothing outward is done again.
//
// Flow: cmd opens a Set and runs it; the api reads Views from it and steers its jobs.
package generations
