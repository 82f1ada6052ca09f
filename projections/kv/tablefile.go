package kv

import (
	"bufio"
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
	buf  *bufio.Writer
}

var _ objstorage.Writable = (*tableFile)(nil)

func newTableFile(f vfs.File) *tableFile { return &tableFile{f, bufio.NewWriterSize(f, fileBuffer)} }

// Write implements objstorage.Writable.
func (t *tableFile) Write(p []byte) error {
	_, err := t.buf.Write(p)
	return err
}

// Finish implements objstorage.Writable.
func (t *tableFile) Finish() error {
	err := t.buf.Flush()
	if err == nil {
		err = t.file.Sync()
	}
	return errors.Join(err, t.file.Close())
}

// Abort implements objstorage.Writable.
func (t *tableFile) Abort() { _ = t.file.Close() }
