// Package whatif tries a definition on a sample of the log, before a rebuild
// reads all of it: which events it reads differently, and what state that makes of the
// connections whose whole history is in the sample.
//
// Guarantee: nothing is changed. Events are mapped and folded by the code that
// a rebuild uses, in memory, so what is said of the sample is what a rebuild would
// make of these events; what it would make of others is not known here, and is not said.
//
// Flow: api calls Try with a view, the log, and the definitions that serve.
package whatif
