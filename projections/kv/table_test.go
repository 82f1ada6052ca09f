package kv_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark-dev/tidemark/projections/kv"
)

func open(t *testing.T, fs vfs.FS, dir string, bulk bool) *kv.DB {
	t.Helper()
	db, err := kv.Open(dir, kv.Options{FS: fs, Bulk: bulk})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func table(t *testing.T, db *kv.DB, prefix string, from, to int, value string) kv.Table {
	t.Helper()
	w, err := db.NewTable()
	if err != nil {
		t.Fatal(err)
	}
	for i := from; i < to; i++ {
		if err := w.Set(fmt.Appendf(nil, "%s%06d", prefix, i), []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	tab, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func count(t *testing.T, db *kv.DB, value string) int {
	t.Helper()
	it, err := db.Iter(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		if value == "" || string(it.Value()) == value {
			n++
		}
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return n
}

// What is taken in is there whole after a power cut, and what was not is not.
func TestIngestIsAtomicAndDurable(t *testing.T) {
	fs := vfs.NewCrashableMem()
	db := open(t, fs, "db", true)
	if err := db.Ingest(t.Context(), table(t, db, "a", 0, 1000, "old"), table(t, db, "b", 0, 10, "old")); err != nil {
		t.Fatal(err)
	}
	if err := db.Ingest(t.Context(), table(t, db, "a", 500, 600, "new")); err != nil {
		t.Fatal(err)
	}
	_ = table(t, db, "c", 0, 10, "lost")
	if _, err := db.NewTable(); err != nil {
		t.Fatal(err)
	}
	db = open(t, fs.CrashClone(vfs.CrashCloneCfg{}), "db", true)
	if n, fresh := count(t, db, ""), count(t, db, "new"); n != 1010 || fresh != 100 {
		t.Errorf("%d rows, %d of the second call; want 1010 and 100", n, fresh)
	}
	v, ok, err := db.Get(nil, []byte("a000555"))
	if err != nil || !ok || string(v) != "new" {
		t.Errorf("a row of both calls is %q, %v, %v; want the newer", v, ok, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTableRefusesDisorder(t *testing.T) {
	db := open(t, vfs.NewMem(), "db", true)
	defer db.Close()
	w, err := db.NewTable()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Set([]byte("b"), nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Set([]byte("a"), nil); err == nil {
		t.Error("a key before the last was taken")
	}
	_ = w.Abort()
}

func TestExciseAndCopy(t *testing.T) {
	fs := vfs.NewMem()
	db := open(t, fs, "db", true)
	if err := db.Ingest(t.Context(), table(t, db, "a", 0, 100, "v"), table(t, db, "b", 0, 100, "v")); err != nil {
		t.Fatal(err)
	}
	b := db.Batch()
	if err := b.Set([]byte("c"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := db.CopyTo("copy"); err != nil {
		t.Fatal(err)
	}
	again := open(t, fs, "copy", true)
	if err := again.Excise(t.Context(), []byte("a"), []byte("b")); err != nil {
		t.Fatal(err)
	}
	if a, b := count(t, db, ""), count(t, again, ""); a != 201 || b != 101 {
		t.Errorf("%d rows and %d in the copy; want 201 and 101", a, b)
	}
	for _, d := range []*kv.DB{db, again} {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A directory is copied whole also where opening it wrote nothing, as after a
// crash amid opening it before.
func TestCopyOfADirectoryJustOpened(t *testing.T) {
	fs := vfs.NewMem()
	db := open(t, fs, "db", true)
	if err := db.Ingest(t.Context(), table(t, db, "a", 0, 100, "v")); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := fs.List("db")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f, ".log") { // empty: the rows are in tables
			if err := fs.Remove("db/" + f); err != nil {
				t.Fatal(err)
			}
		}
	}
	db = open(t, fs, "db", false)
	if err := db.CopyTo("copy"); err != nil {
		t.Fatal(err)
	}
	again := open(t, fs, "copy", false)
	if n := count(t, again, "v"); n != 100 {
		t.Errorf("the copy has %d rows, want 100", n)
	}
	if err := errors.Join(again.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// A copy that a crash cut short is not there, and does not stand in the way of the next.
func TestCopyIsWhole(t *testing.T) {
	fs := vfs.NewCrashableMem()
	db := open(t, fs, "dir/db", true)
	if err := db.Ingest(t.Context(), table(t, db, "a", 0, 100, "v")); err != nil {
		t.Fatal(err)
	}
	if err := fs.MkdirAll("dir/copy.partial", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := db.CopyTo("dir/copy"); err != nil {
		t.Fatal(err)
	}
	if err := db.CopyTo("dir/copy"); err == nil {
		t.Error("a copy was made over another")
	}
	again := open(t, fs.CrashClone(vfs.CrashCloneCfg{}), "dir/copy", false)
	if n := count(t, again, "v"); n != 100 {
		t.Errorf("after a power cut the copy has %d rows, want 100", n)
	}
	if err := errors.Join(again.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
}
