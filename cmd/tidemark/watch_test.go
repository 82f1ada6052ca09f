package main

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/internal/loopback"
)

// A watch outlives its server: it says so once, comes back, and misses nothing.
// SIGTERM ends it with 0.
func TestWatchOverARestart(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, "")
	addr := loopback.Addr(t) // it has to be free for the second start
	s := mustStart(t, dir, "--listen", addr)
	watch := exec.Command(programPath(t), "watch", "--after", "0", "-o", "jsonl")
	watch.Env = append(os.Environ(), "TIDEMARK_SERVER="+s.url)
	states, err := watch.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	talk, err := watch.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(patience, func() { _ = watch.Process.Kill() }) // it ends the reads below
	defer stop.Stop()
	defer func() { _ = watch.Process.Kill() }()
	lines, said := bufio.NewScanner(states), bufio.NewScanner(talk)
	await := func(s *bufio.Scanner, words string) {
		t.Helper()
		for s.Scan() {
			if strings.Contains(s.Text(), words) {
				return
			}
			t.Logf("watch prints: %s", s.Text())
		}
		t.Fatalf("watch does not print %q", words)
	}
	send := func(connection string) {
		t.Helper()
		cmd := exec.Command(programPath(t), "send", "makini", "connection.online", "--connection", connection)
		cmd.Dir, cmd.Env = dir, watch.Env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	send("first")
	await(lines, `"connection":"first"`)
	if code, took := s.terminate(); code != 0 || strings.Contains(s.stderr(), "requests were cut off") {
		t.Errorf("serve ended with %d after %s: a watch must not hold it up: %s", code, took, s.stderr())
	}
	await(said, "trying again until Ctrl-C")
	mustStart(t, dir, "--listen", addr)
	send("second")
	if !lines.Scan() || !strings.Contains(lines.Text(), `"connection":"second"`) {
		t.Errorf("behind the restart it prints %q", lines.Text())
	}
	if err := watch.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for said.Scan() {
		t.Errorf("it says also: %s", said.Text())
	}
	if err := watch.Wait(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
}
