// Package disk measures what every durable answer waits for: one fdatasync.
package disk

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tidemark-dev/tidemark/bench/stats"
)

// Sync appends a kilobyte to a new file in dir and calls fdatasync, over and
// over for a time, and returns how long one append with its fdatasync took.
func Sync(dir string, during time.Duration) (stats.Latency, error) {
	file, err := os.OpenFile(filepath.Join(dir, "fdatasync"), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return stats.Latency{}, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	kilobyte := make([]byte, 1024)
	for i := range kilobyte {
		kilobyte[i] = byte('a' + i%26)
	}
	var samples []time.Duration
	for start := time.Now(); time.Since(start) < during; {
		before := time.Now()
		if _, err := file.Write(kilobyte); err != nil {
			return stats.Latency{}, err
		}
		if err := unix.Fdatasync(int(file.Fd())); err != nil {
			return stats.Latency{}, fmt.Errorf("fdatasync: %w", err)
		}
		samples = append(samples, time.Since(before))
	}
	return stats.Summarise(samples), nil
}
