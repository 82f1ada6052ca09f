package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestWaitForNATS is a start whose NATS server is not there yet: it says so and
// waits, and SIGTERM ends it in good order.
func TestWaitForNATS(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, "nats: {url: \"nats://user:hidden@127.0.0.1:1\"}\n")
	cmd := exec.Command(programPath(t), "serve", "--listen", "127.0.0.1:0")
	cmd.Dir, cmd.Env = dir, os.Environ()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it may be gone already
	limit := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	var said strings.Builder
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadString('\n')
		said.WriteString(line)
		if strings.Contains(line, "waiting for the NATS server") {
			break
		}
		if err != nil {
			t.Fatalf("it does not wait: %s", said.String())
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(lines)
	if err != nil {
		t.Error(err)
	}
	said.Write(rest)
	if err := cmd.Wait(); err != nil {
		t.Errorf("SIGTERM while it waits: %v: %s", err, said.String())
	}
	if strings.Contains(said.String(), "hidden") || !strings.Contains(said.String(), "127.0.0.1:1") {
		t.Errorf("it says %s", said.String())
	}
}
