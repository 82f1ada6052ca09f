package kv_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tidemark-dev/tidemark/projections/kv"
)

// failingLog is a file system on which, once it fails, Pebble's log is neither written nor synced.
func failingLog(fails *atomic.Bool) vfs.FS {
	return errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		write := op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo
		if fails.Load() && write && strings.HasSuffix(op.Path, ".log") {
			return &os.PathError{Op: "sync", Path: op.Path, Err: syscall.EIO}
		}
		return nil
	}))
}

// Where Pebble cannot write its log the caller is told through Fatal, whatever was
// being done, and not by a panic.
func TestAFailingLogIsFatal(t *testing.T) {
	set := func(db *kv.DB, bytes int) error {
		b := db.Batch()
		if err := b.Set(fmt.Appendf(nil, "key%06d", bytes%10), make([]byte, bytes)); err != nil {
			return err
		}
		return b.Commit()
	}
	for name, do := range map[string]func(*testing.T, *kv.DB) error{
		"commit of much": func(_ *testing.T, db *kv.DB) error { return set(db, 1<<20) },
		"commits of a bit": func(_ *testing.T, db *kv.DB) error {
			for range 100 {
				if err := set(db, 10<<10); err != nil {
					return err
				}
			}
			return nil
		},
		"copy":   func(_ *testing.T, db *kv.DB) error { return db.CopyTo("copy") },
		"ingest": func(t *testing.T, db *kv.DB) error { return db.Ingest(t.Context(), table(t, db, "key", 0, 10, "v")) },
	} {
		t.Run(name, func(t *testing.T) {
			var fails atomic.Bool
			ended := make(chan error, 2)
			db, err := kv.Open("db", kv.Options{FS: failingLog(&fails), MemTableBytes: 256 << 10, Bulk: true, Fatal: func(err error) {
				ended <- err
				select {} // it must not return, and a process ends here
			}})
			if err != nil {
				t.Fatal(err)
			}
			if err := set(db, 1); err != nil {
				t.Fatal(err)
			}
			fails.Store(true)
			go func() {
				ended <- errors.New(fmt.Sprint("it goes on with ", do(t, db))) // not wrapped: an EIO returned is none told
			}()
			if err := <-ended; !errors.Is(err, syscall.EIO) {
				t.Errorf("told %v, want an EIO", err)
			}
		})
	}
}

// A failing log at the end is an error, and what was committed before is there again on a disk that works.
func TestAFailingLogAtTheEnd(t *testing.T) {
	var fails atomic.Bool
	fs := failingLog(&fails)
	db := open(t, fs, "db", false)
	commit := func(key string) {
		b := db.Batch()
		if err := errors.Join(b.Set([]byte(key), []byte("v")), b.Commit(), b.Close()); err != nil {
			t.Fatal(err)
		}
	}
	commit("a")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, fs, "db", false)
	commit("b")
	fails.Store(true)
	if err := db.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("closed with %v, want an EIO", err)
	}
	fails.Store(false)
	db = open(t, fs, "db", false)
	if _, ok, err := db.Get(nil, []byte("a")); err != nil || !ok {
		t.Errorf("what was committed before: %v, %v", ok, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
