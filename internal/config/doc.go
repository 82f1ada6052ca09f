// Package config is tidemark.yaml: what an operator may set, with its
// defaults, read strictly.
//
// Guarantees: a key that is not known, given twice or of the wrong kind is an
// error that names the file, the line and what to write instead; all
// errors of a file are reported at once; nothing in a file can be read in two ways. A
// Config shows no secret, however it is printed, and neither does an error: an
// excerpt of a line ends where a value begins.
//
// Flow: cmd loads the configuration first, lays its flags over it, validates,
// locks the data directory, and hands every other package plain values. Nothing else imports this package.
package config
