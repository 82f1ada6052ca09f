// Package kv keeps the projections' rows in Pebble: ordered keys, atomic
// batches, consistent views, and one format version per directory.
//
// Guarantee: a batch is applied whole or not at all, and after a crash the
// directory holds a prefix of the batches that were committed. Nothing here is
// fsynced for its own sake: the log can give every row back, so a lost tail of
// batches is read again from the log.
//
// Flow: projections write batches; projections and api read views. It is the
// only package that names a Pebble type.
package kv

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrDamaged means that Pebble found a file of the directory damaged. The
// directory can be removed: the log gives everything back.
var ErrDamaged = errors.New("projection directory is damaged")

// Options says how to open a directory.
type Options struct {
	// FS is where the directory lives; nil for the disk.
	FS vfs.FS
	// CacheBytes bounds the cache of uncompressed blocks; 0 for 48 MiB.
	CacheBytes int64
	// MemTableBytes bounds one table of recent writes; 0 for 16 MiB.
	MemTableBytes uint64
	// Log receives Pebble's errors; nil for none.
	Log *slog.Logger
	// Fatal is called where Pebble cannot go on: a failed fsync, a full disk,
	// or a file that cannot be read as it was written (a *DamagedFile). It must not return. Nil panics.
	Fatal func(error)
	// Bulk opens the directory for being built: tables can be written and taken
	// in, and nothing is tidied up until the directory is opened without it.
	Bulk bool
	// Still leaves what is in the directory as untidy as it is: for one that is looked at once and removed.
	Still bool
}

// compactAt makes Pebble tidy up where half as many tables of recent writes lie over each other on disk. Each time it rewrites
// most of the level below: with 4 that took a tenth of two processors while webhooks came as fast as they could, and
// late events in a row waited for it. A read looks into up to eight tables for it, and takes longer the more there are.
const compactAt = 16

// How tables are written, by Pebble itself and by a TableWriter.
const (
	blockSize = 8 << 10
	filter    = bloom.FilterPolicy(10)
)

// DB is one open directory. Safe for concurrent use.
type DB struct {
	Reader
	p *pebble.DB

	dir     string
	fs      vfs.FS
	watch   *logWatch
	writing sstable.WriterOptions // of tables
	tables  atomic.Uint64         // begun so far
}

// Open opens or creates the directory. It returns an error that wraps
// ErrDamaged where Pebble recognises damage.
func Open(dir string, o Options) (*DB, error) {
	if o.CacheBytes == 0 {
		o.CacheBytes = 48 << 20
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = 16 << 20
	}
	watch := &logWatch{fatal: o.Fatal}
	po := &pebble.Options{
		// Pebble takes the memory of two tables of recent writes out of its cache.
		CacheSize:                   o.CacheBytes + 2*int64(o.MemTableBytes),
		MemTableSize:                o.MemTableBytes,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       compactAt,
		L0StopWritesThreshold:       1000,
		BytesPerSync:                1 << 20,
		WALBytesPerSync:             1 << 20,
		FormatMajorVersion:          pebble.FormatTableFormatV6,
		Logger:                      logger{o.Log, o.Fatal},
		// A machine of two cores has one to spare for tidying up.
		CompactionConcurrencyRange:  func() (int, int) { return 1, 1 },
		EventListener:               &pebble.EventListener{DataCorruption: damagedFile(o.Fatal), DiskSlow: slowDisk(o.Log)},
		DisableAutomaticCompactions: o.Bulk || o.Still,
	}
	if o.Still {
		po.L0StopWritesThreshold = math.MaxInt // nobody would make it fall again
	}
	for i := range po.Levels {
		po.Levels[i].FilterPolicy = filter
		po.Levels[i].BlockSize = blockSize
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	po.FS = watchedFS{o.FS, watch}
	po.WithFSDefaults()
	p, err := pebble.Open(dir, po)
	if err != nil {
		return nil, fmt.Errorf("open projection directory %s: %w", dir, classifyOpen(err))
	}
	d := &DB{Reader: Reader{p}, p: p, dir: dir, fs: o.FS, watch: watch, writing: sstable.WriterOptions{
		TableFormat: p.TableFormat(), BlockSize: blockSize, FilterPolicy: filter,
	}}
	if o.Bulk {
		if err := d.prepareTables(); err != nil {
			return nil, errors.Join(fmt.Errorf("open projection directory %s: %w", dir, err), p.Close())
		}
	}
	watch.on.Store(true)
	return d, nil
}

// Close closes the directory. What was committed is on disk when it returns nil: in Pebble's log,
// which the next Open reads, for a table of recent writes is small. No reader or batch may be open.
func (d *DB) Close() error {
	d.watch.on.Store(false) // Pebble returns what fails from here on
	return d.p.Close()
}

// Sync returns when what was committed is on disk.
func (d *DB) Sync() error { return classify(d.p.LogData(nil, pebble.Sync)) }

// View returns a consistent view of the moment. The caller closes it.
func (d *DB) View() *View {
	s := d.p.NewSnapshot()
	return &View{Reader: Reader{s}, s: s}
}

// Metrics is a sample of the directory's state.
type Metrics struct {
	DiskBytes    uint64
	MemTables    uint64
	ReadAmp      int
	CompactDebt  uint64
	CacheBytes   int64
	WALBytes     uint64
	L0Tables     int64
	TableReaders int64
}

// Metrics returns a sample for /metrics.
func (d *DB) Metrics() Metrics {
	m := d.p.Metrics()
	return Metrics{
		DiskBytes: m.DiskSpaceUsage(), MemTables: m.MemTable.Size, ReadAmp: m.ReadAmp(),
		CompactDebt: m.Compact.EstimatedDebt, CacheBytes: m.BlockCache.Size, WALBytes: m.WAL.Size,
	}
}

// classifyOpen tells a directory that does not fit together from a system that does not let
// it be read: what no system call failed with is damage, and so is a file that is not there.
func classifyOpen(err error) error {
	var system syscall.Errno
	failed := errors.As(err, &system) && system != syscall.ENOENT
	if failed || strings.Contains(err.Error(), "lock held by current process") || errors.Is(err, ErrDamaged) {
		return err
	}
	return errors.Join(ErrDamaged, err)
}

func classify(err error) error {
	if err != nil && pebble.IsCorruptionError(err) {
		return errors.Join(ErrDamaged, err)
	}
	return err
}
