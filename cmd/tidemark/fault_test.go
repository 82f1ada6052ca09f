package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestDiskFails injects EIO into every fsync behind the first some, or into what is written to the
// projections' second log: from then on nothing is acknowledged, the process ends and names the cause, and what was
// acknowledged before is there after a start on a disk that works.
func TestDiskFails(t *testing.T) {
	for _, c := range []struct {
		name, inject string
		codes        []int
	}{
		// strace counts by thread. A start makes files and fsyncs them: the fault begins well behind that.
		// It ends with 1 where the projections' own fsync fails first.
		{"fsync", "-e trace=fsync,fdatasync -e inject=fsync:error=EIO:when=60+ -e inject=fdatasync:error=EIO:when=60+", []int{exitIntegrity, exitError}},
		// No count here: a log may be full before one thread has written to it a third time.
		{"the projections' log", "-P DIR/data/projections/g000001/000004.log -e trace=write -e inject=write:error=EIO", []int{exitError}},
	} {
		t.Run(c.name, func(t *testing.T) { diskFails(t, c.inject, c.codes) })
	}
}

func diskFails(t *testing.T, inject string, codes []int) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed: it makes fsync fail (apt-get install strace)")
	}
	dir := t.TempDir()
	writeConfig(t, dir, "")
	script := filepath.Join(dir, "faulty")
	pid := filepath.Join(dir, "pid") // of the server itself: a kill of strace would let it go on
	line := "#!/bin/sh\nexec " + strace + " -f -qq -o " + filepath.Join(dir, "trace") + " " + strings.ReplaceAll(inject, "DIR", dir) +
		" /bin/sh -c 'echo $$ > " + pid + "; exec \"$0\" \"$@\"' " + programPath(t) + " \"$@\"\n"
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
		if n, err := strconv.Atoi(strings.TrimSpace(string(read(t, pid)))); err == nil {
			_ = syscall.Kill(n, syscall.SIGKILL) // it may be gone already
		}
		s.kill()
		t.Fatal("the server went on after its disk failed")
	}
	cancel()
	sending.Wait()
	code, said := s.cmd.ProcessState.ExitCode(), s.stderr()
	if !slices.Contains(codes, code) || !strings.Contains(said, "input/output error") || !strings.Contains(said, "acknowledged") || strings.Contains(said, "goroutine ") {
		t.Errorf("exit code %d, want one of %v and the cause named: %s", code, codes, said)
	}
	acked := l.acknowledged()
	if len(acked) == 0 {
		t.Fatal("nothing was acknowledged before the fault: this run shows nothing")
	}
	s = mustStart(t, dir)
	if err := awaitApplied(s.url, patience); err != nil {
		t.Fatal(err)
	}
	if lost := missing(acked, stored(t, s.url)); len(lost) > 0 {
		t.Errorf("%d of %d acknowledged webhooks are lost, the first: %+v", len(lost), len(acked), lost[0])
	}
	t.Logf("%d acknowledged before the fault", len(acked))
}
