package kv

import (
	"errors"
	"fmt"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// CopyTo makes dir, which must not exist yet, a copy of this directory as it is now. Files that never
// change are linked, not copied, so it costs little time and, until either side
// rewrites them, no space. After a crash dir is there whole or not at all; when CopyTo
// returns nil it is on disk.
func (d *DB) CopyTo(dir string) error {
	if err := d.copyTo(dir); err != nil {
		return fmt.Errorf("copy projection directory to %s: %w", dir, classify(err))
	}
	return nil
}

func (d *DB) copyTo(dir string) error {
	there, err := Exists(dir, Options{FS: d.fs})
	if err != nil {
		return err
	}
	if there {
		return os.ErrExist
	}
	partial := dir + ".partial"
	if err := d.fs.RemoveAll(partial); err != nil {
		return err
	}
	// Pebble copies as much of its list of files as it wrote since it was opened, which can be
	// nothing at all. A flush makes it write the whole list.
	if err := d.p.Flush(); err != nil {
		return err
	}
	if err := d.p.Checkpoint(partial, pebble.WithFlushedWAL()); err != nil {
		return err
	}
	if err := d.fs.Rename(partial, dir); err != nil {
		return err
	}
	parent, err := d.fs.OpenDir(d.fs.PathDir(dir))
	if err != nil {
		return err
	}
	return errors.Join(parent.Sync(), parent.Close())
}

// Exists reports whether there is anything at dir.
func Exists(dir string, o Options) (bool, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	_, err := o.FS.Stat(dir)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
