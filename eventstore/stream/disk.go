package stream

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
)

const (
	// largestDefaultMark and the fraction below make the default low-water mark.
	largestDefaultMark  = 512 * mib
	defaultMarkFraction = 20
	// diskInterval is how long a reading of the free space is good for.
	diskInterval = time.Second
)

// disk watches the space under the embedded server. Between two readings it subtracts
// what was written, so that a burst does not run past the mark.
type disk struct {
	path string
	mark int64
	now  func() time.Time

	read  atomic.Int64 // when the space was last read, in ns since start
	start time.Time
	free  atomic.Int64
}

// openDisk reads the disk under path. mark is as Options.LowWater. total is the
// size of the file system in bytes.
func openDisk(path string, mark int64, now func() time.Time) (d *disk, total int64, err error) {
	free, total, err := space(path)
	if err != nil {
		return nil, 0, fmt.Errorf("free space under %s: %w", path, err)
	}
	if mark == 0 {
		mark = min(largestDefaultMark, total/defaultMarkFraction)
	}
	d = &disk{path: path, mark: mark, now: now, start: now()}
	d.free.Store(free)
	return d, total, nil
}

// space returns the bytes an ordinary process may still write and the size of
// the file system.
func space(path string) (free, total int64, err error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(path, &fs); err != nil {
		return 0, 0, err
	}
	return int64(fs.Bavail) * int64(fs.Bsize), int64(fs.Blocks) * int64(fs.Bsize), nil
}

// refresh reads the free space if the last reading is a second old.
func (d *disk) refresh() {
	age := int64(d.now().Sub(d.start))
	last := d.read.Load()
	if age-last < int64(diskInterval) || !d.read.CompareAndSwap(last, age) {
		return
	}
	if free, _, err := space(d.path); err == nil {
		d.free.Store(free)
	}
}

// wrote notes that n bytes went to the disk.
func (d *disk) wrote(n int) { d.free.Add(-int64(n)) }

// low returns an ErrDiskLow while the free space is below the mark.
func (d *disk) low() error {
	if d.mark < 0 {
		return nil
	}
	d.refresh()
	if free := d.free.Load(); free < d.mark {
		return fmt.Errorf("%w: %d bytes are free under %s, the mark is %d: free some space", eventstore.ErrDiskLow, max(free, 0), d.path, d.mark)
	}
	return nil
}

// roomy says whether there is space to write again after the disk was full.
func (d *disk) roomy() bool {
	d.refresh()
	return d.free.Load() >= max(d.mark, roomToRestart)
}

// roomToRestart is what the server needs to start again when no mark is set.
const roomToRestart = 4 * mib
