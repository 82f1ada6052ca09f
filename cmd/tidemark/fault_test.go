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

// TestFsyncFails injects EIO into every fsync behind the first some: from then on
// nothing is acknowledged, the process ends and names the cause, and what was acknowledged
// before is there after a start on a disk that works.
func TestFsyncFails(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed: it makes fsync fail (apt-get install strace)")
	}
	dir := t.TempDir()
	writeConfig(t, dir, "")
	// strace counts by thread. A start makes files and fsyncs them: the fault begins well behind that.
	script := filepath.Join(dir, "faulty")
	line := "#!/bin/sh\nexec " + strace + " -f -qq -o " + filepath.Join(dir, "trace") +
		" -e trace=fsync,fdatasync -e inject=fsync:error=EIO:when=60+ -e inject=fdatasync:error=EIO:when=60+ " + programPath(t) + " \"$@\"\n"
	if err := os.WriteFile(script, []byte(line), 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := startServer(script, dir, os.Environ(), "--listen", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("start under strace: %v", err)
	}
	l := newLoad(-1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var sending sync.WaitGroup
	sending.Go(func() { l.run(ctx, s.url, 0) })
	select {
	case <-s.ended:
	case <-ctx.Done():
		s.kill()
		t.Fatal("the server went on after its fsync failed")
	}
	cancel()
	sending.Wait()
	// 6 where the log ends it, 1 where the projections' own fsync fails first, and
	// 2 where that one is of Pebble's log at the close: Pebble panics then, and cannot be kept from it.
	if code := s.cmd.ProcessState.ExitCode(); code == 0 || !strings.Contains(s.stderr(), "input/output error") {
		t.Errorf("exit code %d, want another than 0 and the cause named: %s", code, s.stderr())
	}
	acked := l.acknowledged()
	if len(acked) == 0 {
		t.Fatal("nothing was acknowledged before the fault: this run shows nothing")
	}
	s = mustStart(t, dir)
	if err := awaitApplied(s.url, time.Minute); err != nil {
		t.Fatal(err)
	}
	if lost := missing(acked, stored(t, s.url)); len(lost) > 0 {
		t.Errorf("%d of %d acknowledged webhooks are lost, the first: %+v", len(lost), len(acked), lost[0])
	}
	t.Logf("%d acknowledged before the fault", len(acked))
}
