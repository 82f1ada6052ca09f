package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestPower cuts the power: the data is on a file system in a file, and a copy of
// that file, taken in the middle of the load, is what a disk would hold that lost its
// power then; what was only in memory is not in it. What was acknowledged before the cut is stored on the copy.
func TestPower(t *testing.T) {
	disks := newDisks(t)
	cuts := 1
	if long {
		cuts = 3
	}
	for range cuts {
		acked, s, err := cutPower(t, disks)
		if err != nil {
			t.Fatalf("the server does not start on what the power cut left: %v", err)
		}
		lost := missing(acked, stored(t, s.url))
		if len(lost) > 0 {
			t.Errorf("%d of %d acknowledged webhooks are lost, the first: %+v", len(lost), len(acked), lost[0])
		}
		t.Logf("%d acknowledged before the cut, none may be lost", len(acked))
		s.kill()
		disks.release(t)
	}
}

// TestPowerIsSeen is TestPower with the fsync of the log turned off: it has to
// lose something, or the test above could not see a loss.
func TestPowerIsSeen(t *testing.T) {
	disks := newDisks(t)
	acked, s, err := cutPower(t, disks, "--unsafe-no-sync")
	if err != nil {
		if code := s.cmd.ProcessState.ExitCode(); code != exitIntegrity {
			t.Errorf("a log that is gone ends the start with %d, want %d", code, exitIntegrity)
		}
		t.Logf("without fsync the log is gone as a whole, and %d acknowledged webhooks with it", len(acked))
		return
	}
	if !strings.Contains(s.stderr(), "NOT SAFE") {
		t.Errorf("serve does not say that an acknowledgement is not safe: %s", s.stderr())
	}
	lost := missing(acked, stored(t, s.url))
	if len(lost) == 0 {
		t.Errorf("all %d acknowledged webhooks survived a power cut without fsync: the rig does not cut the power", len(acked))
	}
	t.Logf("without fsync %d of %d are lost", len(lost), len(acked))
}

// cutPower runs a server under load on one disk, cuts the power after some
// acknowledgements, and starts it again on what the disk held then. The error is
// that of the second start.
func cutPower(t *testing.T, disks *disks, args ...string) ([]ack, *server, error) {
	t.Helper()
	disks.make(t)
	// The configuration is not on the disk that loses its power. That is small, so the mark is too.
	dir := t.TempDir()
	writeConfig(t, dir, "disk: {low_water: 1MiB}\n")
	s := mustStart(t, dir, append(args, "--data-dir", filepath.Join(disks.before, "data"))...)
	l := newLoad(1000)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var sending sync.WaitGroup
	sending.Go(func() { l.run(ctx, s.url, 0) })
	<-l.reached
	acked := l.acknowledged() // by now; what is acknowledged later may be on the copy or not
	// The process stands still while the copy is made, so that the copy is of one moment.
	suspend(t, s.cmd.Process)
	disks.copy(t)
	s.kill()
	cancel()
	sending.Wait()
	disks.unmount(t, disks.before)
	disks.mount(t, disks.copied, disks.after)

	again, err := startServer(programPath(t), dir, os.Environ(),
		append(args, "--data-dir", filepath.Join(disks.after, "data"), "--listen", "127.0.0.1:0")...)
	if err != nil {
		return acked, again, err
	}
	t.Cleanup(again.kill)
	if err := awaitApplied(again.url, patience); err != nil {
		t.Fatal(err)
	}
	return acked, again, nil
}

// disks are two ext4 file systems in files: the one that runs, and the copy.
type disks struct {
	image, copied, before, after string
	mounted                      map[string]bool
}

// newDisks skips the test where a file cannot be mounted as a disk.
func newDisks(t *testing.T) *disks {
	t.Helper()
	if testing.Short() {
		t.Skip("a power cut takes seconds, and -short was asked for")
	}
	if os.Geteuid() != 0 {
		t.Skip("a power cut needs root to mount a disk: this is another user")
	}
	for _, tool := range []string{"mkfs.ext4", "mount", "umount", "cp"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("a power cut needs %s: %v", tool, err)
		}
	}
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	d := &disks{image: in("image"), copied: in("copied"), before: in("before"), after: in("after"), mounted: map[string]bool{}}
	for _, point := range []string{d.before, d.after} {
		if err := os.Mkdir(point, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := d.try(); err != nil {
		t.Skipf("a power cut needs loop devices, and this machine mounts none: %v: %s", err, out)
	}
	t.Cleanup(func() { d.release(t) })
	return d
}

// try makes and mounts a disk once.
func (d *disks) try() ([]byte, error) {
	if out, err := exec.Command("sh", "-c", `truncate -s 192M "$1" && mkfs.ext4 -qF "$1" && mount -o loop "$1" "$2"`, "sh", d.image, d.before).CombinedOutput(); err != nil {
		return out, err
	}
	return exec.Command("umount", d.before).CombinedOutput()
}

func (d *disks) make(t *testing.T) {
	t.Helper()
	run(t, "truncate", "-s", "0", d.image)
	run(t, "truncate", "-s", "192M", d.image)
	run(t, "mkfs.ext4", "-qF", d.image)
	d.mount(t, d.image, d.before)
}

func (d *disks) mount(t *testing.T, image, point string) {
	t.Helper()
	run(t, "mount", "-o", "loop", image, point)
	d.mounted[point] = true
}

func (d *disks) unmount(t *testing.T, point string) {
	t.Helper()
	for limit := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		out, err := exec.Command("umount", point).CombinedOutput()
		if err == nil {
			break
		}
		if time.Now().After(limit) { // until then the kernel may be busy with it
			t.Fatalf("umount %s: %v: %s", point, err, out)
		}
	}
	delete(d.mounted, point)
}

func (d *disks) copy(t *testing.T) {
	t.Helper()
	run(t, "cp", "--sparse=always", d.image, d.copied)
}

// release unmounts what is mounted.
func (d *disks) release(t *testing.T) {
	t.Helper()
	for point := range d.mounted {
		d.unmount(t, point)
	}
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}
