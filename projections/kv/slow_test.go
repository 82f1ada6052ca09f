package kv_test

import (
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tidemark-dev/tidemark/projections/kv"
)

// told is a log that says when it was first written to.
type told struct {
	once sync.Once
	c    chan struct{}
	text string
}

func (w *told) Write(b []byte) (int, error) {
	w.once.Do(func() { w.text = string(b); close(w.c) })
	return len(b), nil
}

// A disk that takes its time is told of and waited for, and ends nothing.
func TestASlowDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("a disk is slow after five seconds: not with -short")
	}
	said := &told{c: make(chan struct{})}
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpCreate {
			<-said.c
		}
		return nil
	}))
	db, err := kv.Open("db", kv.Options{FS: fs, Log: slog.New(slog.NewTextHandler(said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.text, "the disk is slow") || !strings.Contains(said.text, "file=") {
		t.Errorf("it says %s", said.text)
	}
}
