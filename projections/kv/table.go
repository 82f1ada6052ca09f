package kv

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// tablesDir is where tables lie until they are taken into the directory. It is
// on the same disk, so that taking one in is a rename.
const tablesDir = "tables"

// TableWriter writes rows that come in the order of their keys to a file beside
// the directory's own, at a fraction of what a batch costs. Not safe for
// concurrent use, but any number of tables can be written at a time.
type TableWriter struct {
	fs   vfs.FS
	path string
	w    *sstable.Writer
}

// Table is a finished file of rows, not part of the directory yet.
type Table struct{ path string }

// NewTable begins a table. The caller finishes it, or aborts it.
func (d *DB) NewTable() (*TableWriter, error) {
	path := d.fs.PathJoin(d.dir, tablesDir, strconv.FormatUint(d.tables.Add(1), 10)+".sst")
	f, err := d.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, fmt.Errorf("begin a table of rows: %w", err)
	}
	w := sstable.NewWriter(newTableFile(f), d.writing)
	return &TableWriter{fs: d.fs, path: path, w: w}, nil
}

// Set writes a row. Key and value are copied; the key must be behind the last one.
func (t *TableWriter) Set(key, value []byte) error { return t.w.Set(key, value) }

// Finish writes what is left and syncs the file: it is on disk when Finish returns.
func (t *TableWriter) Finish() (Table, error) {
	if err := t.w.Close(); err != nil {
		return Table{}, errors.Join(fmt.Errorf("write a table of rows: %w", err), t.fs.Remove(t.path))
	}
	return Table{path: t.path}, nil
}

// Abort gives up the table.
func (t *TableWriter) Abort() error { return errors.Join(t.w.Close(), t.fs.Remove(t.path)) }

// Ingest takes tables into the directory: readers, and whoever opens the
// directory after a crash, find the rows of all of them or of none. Their rows win over those that are
// there. No two tables of one call may overlap. When Ingest returns nil the rows are on disk and the files are gone.
func (d *DB) Ingest(ctx context.Context, tables ...Table) error {
	paths := make([]string, len(tables))
	for i, t := range tables {
		paths[i] = t.path
	}
	return classify(d.p.Ingest(ctx, paths))
}

// Excise takes out all rows from <= key < to, at the cost of an entry in a list
// of files. It is on disk when Excise returns.
func (d *DB) Excise(ctx context.Context, from, to []byte) error {
	return classify(d.p.Excise(ctx, pebble.KeyRange{Start: from, End: to}))
}

// prepareTables makes the place where tables are written, without what a crash left there.
func (d *DB) prepareTables() error {
	path := d.fs.PathJoin(d.dir, tablesDir)
	if err := d.fs.RemoveAll(path); err != nil {
		return fmt.Errorf("remove unfinished tables: %w", err)
	}
	if err := d.fs.MkdirAll(path, 0o755); err != nil {
		return fmt.Errorf("make a place for tables: %w", err)
	}
	return nil
}
