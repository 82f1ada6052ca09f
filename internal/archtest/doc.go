// Package archtest holds the tree to the shape that docs/DESIGN.md draws: who
// may import whom, which packages alone may name NATS, Pebble or the real
// clock, what packages may be called, and how long a file may be.
//
// Guarantee: a tree whose tests pass has the shape of the tables in
// table_test.go; each rule is proven in rules_test.go on a small tree that
// breaks it. Files are parsed in this process with go/parser: the test cache
// sees which files a test opened, but not what a subprocess such as go list
// opened, and would report a stale "ok".
//
// Nothing imports this package, and it is no part of the program.
package archtest
