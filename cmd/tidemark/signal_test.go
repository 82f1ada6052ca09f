package main

import (
	"bufio"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hold begins a webhook and does not send its body: the server waits for it. It
// returns once the server does.
func hold(t *testing.T, s *server) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := c.Write([]byte("POST /in/makini HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("the server does not ask for the body: %q, %v", line, err)
	}
	return c
}

// TestSecondSignal is a person who does not want to wait for a sender that does not send.
func TestSecondSignal(t *testing.T) {
	s := mustStart(t, t.TempDir())
	hold(t, s)
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(s.stderr(), "stopping") {
		select {
		case <-s.ended:
			t.Fatalf("one signal ended it with a request under way: %s", s.stderr())
		case <-time.After(time.Millisecond):
		}
	}
	// It is taken from the moment that the first one is, which may be one after the word. Without it the
	// server would wait for the sender, and then end in good order.
	for ended := false; !ended; {
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may be gone already
		select {
		case <-s.ended:
			ended = true
		case <-time.After(100 * time.Millisecond):
		}
	}
	if code := s.cmd.ProcessState.ExitCode(); code != -1 {
		t.Errorf("a second signal: exit code %d, want it ended by the signal", code)
	}
}

// TestSlowSenderAtTheEnd is SIGTERM while a sender does not send: it is cut off in time.
func TestSlowSenderAtTheEnd(t *testing.T) {
	if !long {
		t.Skip("it takes the whole time that is given to requests under way: set TIDEMARK_LONG=1")
	}
	s := mustStart(t, t.TempDir())
	hold(t, s)
	code, took := s.terminate()
	if code != 0 || took > endLimit {
		t.Errorf("exit code %d after %s, want 0 in time: %s", code, took, s.stderr())
	}
}
