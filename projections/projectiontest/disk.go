package projectiontest

import (
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Disk is a file system in memory whose power may be cut at any moment. It keeps the cut out of three operations under
// way: in MemFS they take the lock for reading twice that a clone takes for writing, and a clone that comes in between
// waits for them for ever, as they for the clone.
type Disk struct {
	*vfs.MemFS
	mu sync.RWMutex
}

// NewDisk returns an empty one.
func NewDisk() *Disk { return &Disk{MemFS: vfs.NewCrashableMem()} }

// Cut returns what a power cut leaves at this moment. The disk itself goes on.
func (d *Disk) Cut(how vfs.CrashCloneCfg) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &Disk{MemFS: d.CrashClone(how)}
}

// Link implements vfs.FS.
func (d *Disk) Link(from, to string) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.MemFS.Link(from, to)
}

// ReuseForWrite implements vfs.FS.
func (d *Disk) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.MemFS.ReuseForWrite(from, to, c)
}

// Lock implements vfs.FS.
func (d *Disk) Lock(name string) (io.Closer, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.MemFS.Lock(name)
}
