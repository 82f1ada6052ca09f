package kv

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// CopyTo makes dir, which must not exist yet, a copy of this directory as it is now. Files that never
// change are linked, not copied, so it costs little time and, until either side
// rewrites them, no space. The copy is on disk when CopyTo returns.
func (d *DB) CopyTo(dir string) error {
	if err := d.p.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("copy projection directory to %s: %w", dir, classify(err))
	}
	return nil
}

// Remove removes a directory that is not open, and everything in it.
func Remove(dir string, o Options) error {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	return o.FS.RemoveAll(dir)
}
