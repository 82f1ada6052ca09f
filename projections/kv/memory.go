package kv

import "github.com/cockroachdb/pebble/v2/vfs"

// OpenMemory opens an empty directory that is in memory alone, for what is
// looked at once and thrown away.
func OpenMemory(o Options) (*DB, error) {
	o.FS = vfs.NewMem()
	return Open("memory", o)
}
