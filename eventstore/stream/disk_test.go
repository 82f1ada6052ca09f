package stream_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
)

// smallDisk mounts a file system of 64 MiB: ext4 on a loop device or, where there is none,
// memory. It skips the test where neither may be mounted.
func smallDisk(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("a full disk is tested on a file system of its own, and only root may mount one")
	}
	dir := t.TempDir()
	image, mount := filepath.Join(dir, "image"), filepath.Join(dir, "disk")
	if err := os.Mkdir(mount, 0o700); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) ([]byte, error) { return exec.Command(name, args...).CombinedOutput() }
	loop := func() error {
		f, err := os.Create(image)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Truncate(64<<20), f.Close()); err != nil {
			return err
		}
		if _, err := run("mkfs.ext4", "-qF", "-m0", image); err != nil {
			return err
		}
		_, err = run("mount", "-o", "loop", image, mount)
		return err
	}
	if err := loop(); err != nil {
		t.Logf("no loop device (%v), so the disk is in memory", err)
		if out, err := run("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", mount); err != nil {
			t.Skipf("a full disk is tested on a file system of its own, and none can be mounted here: %v: %s", err, out)
		}
	}
	t.Cleanup(func() {
		stream.Until(t, "the disk is unmounted", func() bool { // the kernel may be busy with it still
			out, err := run("umount", mount)
			if err != nil {
				t.Logf("umount: %v: %s", err, out)
			}
			return err == nil
		})
	})
	return mount
}

// ballast fills the disk but for so many bytes, and returns what takes it away again.
func ballast(t *testing.T, disk string, leave int64) (remove func()) {
	t.Helper()
	path := filepath.Join(disk, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if size := stream.FreeSpace(t, disk) - leave; size > 0 {
		if err := syscall.Fallocate(int(f.Fd()), 0, 0, size); err != nil && err != syscall.ENOSPC {
			t.Fatal(err)
		}
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

// TestALowDiskRefusesBeforeItIsFull fills the disk to below the mark: appends are
// refused at once, and taken again when there is space.
func TestALowDiskRefusesBeforeItIsFull(t *testing.T) {
	disk := smallDisk(t)
	log := start(t, stream.Options{Dir: filepath.Join(disk, "log"), LowWater: 16 << 20})
	if _, err := log.Append(t.Context(), webhook(0)); err != nil {
		t.Fatal(err)
	}
	remove := ballast(t, disk, 8<<20)
	stream.Until(t, "appends are refused", func() bool {
		_, err := log.Append(t.Context(), webhook(1))
		if err != nil && !errors.Is(err, eventstore.ErrDiskLow) {
			t.Fatalf("append on a low disk: error %v, want ErrDiskLow", err)
		}
		return err != nil
	})
	if err := log.Health(); !errors.Is(err, eventstore.ErrDiskLow) {
		t.Errorf("health: %v, want ErrDiskLow", err)
	}
	remove()
	appendPatiently(t, log, webhook(2))
	stream.Until(t, "the log is healthy", func() bool { return log.Health() == nil })
}

// TestAFullDiskAtTheStart restarts with not a byte left: the log can be read, and appends are refused
// until there is space.
func TestAFullDiskAtTheStart(t *testing.T) {
	disk := smallDisk(t)
	log := start(t, stream.Options{Dir: filepath.Join(disk, "log")})
	for i := range 3 {
		if _, err := log.Append(t.Context(), webhook(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.stop(); err != nil {
		t.Fatal(err)
	}
	remove := ballast(t, disk, 0)
	log = start(t, log.opts)
	expectGroups(t, log.Log, 1, 1, 1)
	if _, err := log.Append(t.Context(), webhook(3)); !errors.Is(err, eventstore.ErrDiskLow) {
		t.Errorf("append on a full disk: error %v, want ErrDiskLow", err)
	}
	remove()
	appendPatiently(t, log, webhook(4))
	expectGroups(t, log.Log, 1, 1, 1, 1)
}

// TestAFullDiskIsOverWhenThereIsSpace lets the disk run full, which leaves the server's
// stream dead for good. When there is space the log has to work again by itself, with all that
// was acknowledged.
func TestAFullDiskIsOverWhenThereIsSpace(t *testing.T) {
	disk := smallDisk(t)
	registry := prometheus.NewRegistry()
	log := start(t, stream.Options{Dir: filepath.Join(disk, "log"), LowWater: -1, AppendTimeout: 5 * time.Second, Metrics: registry})
	var reached atomic.Uint64
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	followed := make(chan error, 1)
	go func() { followed <- follow(ctx, log, &reached) }()

	acknowledged := make(map[ulid.ULID]bool)
	add := func(i int) error {
		e := webhook(i)
		e.Body = make([]byte, 100<<10)
		_, err := log.Append(t.Context(), e)
		if err == nil {
			acknowledged[e.ID] = true
		}
		return err
	}
	for i := range 10 {
		if err := add(i); err != nil {
			t.Fatal(err)
		}
	}
	remove := ballast(t, disk, 1<<20)
	i := 10
	stream.Until(t, "the disk is full", func() bool {
		i++
		err := add(i)
		if err != nil && !errors.Is(err, eventstore.ErrUnavailable) {
			t.Fatalf("append on a full disk: error %v, want ErrUnavailable", err)
		}
		return err != nil
	})
	stream.Until(t, "the log says that it is unavailable", func() bool { return errors.Is(log.Health(), eventstore.ErrUnavailable) })
	full := len(acknowledged)
	remove()
	stream.Until(t, "appends are taken again", func() bool {
		i++
		return add(i) == nil
	})
	stream.Until(t, "the log is healthy", func() bool { return log.Health() == nil })
	if n := metric(t, registry, "tidemark_log_restarts_total"); n < 1 {
		t.Errorf("the embedded server was restarted %v times: was the disk ever full?", n)
	}
	seen := readIDs(t, log)
	for id := range acknowledged {
		if seen[id] != 1 {
			t.Errorf("event %s was acknowledged and is stored %d times", id, seen[id])
		}
	}
	head, err := log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stream.Until(t, "the cursor is at the head", func() bool { return reached.Load() >= uint64(head) })
	stop()
	if err := <-followed; !errors.Is(err, context.Canceled) {
		t.Errorf("the cursor: %v", err)
	}
	t.Logf("%d events were acknowledged when the disk was full, %d now, %d are stored", full, len(acknowledged), len(seen))
}
