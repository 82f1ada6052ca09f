package kv

import (
	"errors"

	"github.com/cockroachdb/pebble/v2/objstorage"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// fileBuffer is how much of a table is given to the kernel at a time. Given block by block, which are a page or
// two each, it is called some fifty times as often.
const fileBuffer = 256 << 10

// tableFile is the file that a table is written to.
type tableFile struct {
	file vfs.File
	buf  []byte
}

var _ objstorage.Writable = (*tableFile)(nil)

// Write implements objstorage.Writable.
func (t *tableFile) Write(p []byte) error {
	if len(t.buf)+len(p) > cap(t.buf) {
		if err := t.flush(); err != nil {
			return err
		}
	}
	t.buf = append(t.buf, p...)
	return nil
}

func (t *tableFile) flush() error {
	_, err := t.file.Write(t.buf)
	t.buf = t.buf[:0]
	return err
}

// Finish implements objstorage.Writable.
func (t *tableFile) Finish() error {
	err := t.flush()
	if err == nil {
		err = t.file.Sync()
	}
	return errors.Join(err, t.file.Close())
}

// Abort implements objstorage.Writable.
func (t *tableFile) Abort() { _ = t.file.Close() }
