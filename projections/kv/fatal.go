package kv

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// logWatch sees the errors of Pebble's log before Pebble does, which panics over them in
// a way that cannot be recovered from: it has let go of a lock that it lets go of once more on the way out. So
// they go to Options.Fatal here, like all else that Pebble cannot go on with.
type logWatch struct {
	// on from when the directory is open until it closes: before and after, errors are returned.
	on    atomic.Bool
	fatal func(error)
}

func (w *logWatch) check(err error) error {
	if err != nil && w.fatal != nil && w.on.Load() {
		w.fatal(fmt.Errorf("write-ahead log: %w", err))
	}
	return err
}

// watchedFS is a file system whose write-ahead logs, and the directories they are in, are watched.
type watchedFS struct {
	vfs.FS
	watch *logWatch
}

// Unwrap implements vfs.FS.
func (fs watchedFS) Unwrap() vfs.FS { return fs.FS }

// Create implements vfs.FS.
func (fs watchedFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, category)
	return fs.watched(name, f, err)
}

// ReuseForWrite implements vfs.FS.
func (fs watchedFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.ReuseForWrite(oldname, newname, category)
	return fs.watched(newname, f, err)
}

func (fs watchedFS) watched(name string, f vfs.File, err error) (vfs.File, error) {
	if !strings.HasSuffix(name, ".log") {
		return f, err
	}
	if fs.watch.check(err) != nil {
		return nil, err
	}
	return watchedFile{f, fs.watch}, nil
}

// OpenDir implements vfs.FS.
func (fs watchedFS) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return watchedFile{f, fs.watch}, nil
}

// watchedFile is a file of which whatever could lose a write is watched.
type watchedFile struct {
	vfs.File
	watch *logWatch
}

// Write implements vfs.File.
func (f watchedFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.watch.check(err)
}

// Sync implements vfs.File.
func (f watchedFile) Sync() error { return f.watch.check(f.File.Sync()) }

// SyncData implements vfs.File.
func (f watchedFile) SyncData() error { return f.watch.check(f.File.SyncData()) }

// SyncTo implements vfs.File.
func (f watchedFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	return full, f.watch.check(err)
}

// Close implements vfs.File.
func (f watchedFile) Close() error { return f.watch.check(f.File.Close()) }

// DamagedFile is what Options.Fatal is told of a file that holds something else than was
// written to it. It is an ErrDamaged.
type DamagedFile struct {
	Path  string
	Cause error
}

func (d *DamagedFile) Error() string {
	return fmt.Sprintf("on-disk corruption: %s: %v", d.Path, d.Cause)
}

// Unwrap returns ErrDamaged and the cause.
func (d *DamagedFile) Unwrap() []error { return []error{ErrDamaged, d.Cause} }

// damagedFile tells fatal of damage, by name: a query may find it, or a background job, which has nobody to tell.
func damagedFile(fatal func(error)) func(pebble.DataCorruptionInfo) {
	return func(info pebble.DataCorruptionInfo) {
		err := &DamagedFile{info.Path, info.Details}
		if fatal == nil {
			panic(err)
		}
		fatal(err)
	}
}

// slowDisk logs what takes the disk longer than some seconds. Pebble tells the listener of the options as
// they were given to it, and ends the process where there is none.
func slowDisk(log *slog.Logger) func(pebble.DiskSlowInfo) {
	return func(info pebble.DiskSlowInfo) {
		if log != nil {
			log.Warn("the disk is slow", slog.String("file", info.Path), slog.String("doing", info.OpType.String()), slog.Any("since", info.Duration.Round(time.Second)))
		}
	}
}

type logger struct {
	log   *slog.Logger
	fatal func(error)
}

func (l logger) Infof(string, ...any) {}

func (l logger) Errorf(format string, args ...any) {
	if l.log != nil {
		l.log.Error("pebble", slog.Any("error", fmt.Sprintf(format, args...)))
	}
}

func (l logger) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	if l.fatal != nil {
		l.fatal(err)
	}
	panic(err)
}
