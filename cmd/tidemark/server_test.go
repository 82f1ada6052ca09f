package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/api"
)

// testSecret is the secret of the source makini in the tests' configurations.
const testSecret = "test-secret-0123456789abcdef"

// server is one process of `tidemark serve`.
type server struct {
	url     string
	took    time.Duration // from the start of the process to "listening on"
	cmd     *exec.Cmd
	mu      sync.Mutex
	said    strings.Builder
	ended   chan struct{} // closed when the process is gone
	exitErr error
}

// startServer starts serve with these arguments and waits until it listens, or has ended.
func startServer(bin, dir string, environ []string, args ...string) (*server, error) {
	s := &server{ended: make(chan struct{})}
	s.cmd = exec.Command(bin, append([]string{"serve"}, args...)...)
	s.cmd.Dir, s.cmd.Env = dir, environ
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	listening := make(chan string, 1)
	go func() {
		lines := bufio.NewReader(stderr)
		for {
			line, err := lines.ReadString('\n')
			s.mu.Lock()
			s.said.WriteString(line)
			s.mu.Unlock()
			if url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on "); ok {
				listening <- url
			}
			if err != nil {
				break
			}
		}
		s.exitErr = s.cmd.Wait()
		close(s.ended)
	}()
	select {
	case s.url = <-listening:
		s.took = time.Since(began)
		return s, nil
	case <-s.ended:
		return s, fmt.Errorf("serve ended with %d: %s", s.cmd.ProcessState.ExitCode(), s.stderr())
	case <-time.After(patience):
		s.kill()
		return s, fmt.Errorf("serve does not listen after %s: %s", patience, s.stderr())
	}
}

// mustStart is startServer for a test of its own directory, on a free port.
func mustStart(t testing.TB, dir string, args ...string) *server {
	t.Helper()
	s, err := startServer(programPath(t), dir, os.Environ(), append([]string{"--listen", "127.0.0.1:0"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	return s
}

// stderr is what the server said so far.
func (s *server) stderr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.String()
}

// kill ends the process the way a machine does that has no mercy.
func (s *server) kill() {
	_ = s.cmd.Process.Kill() // it may be gone already
	<-s.ended
}

// endLimit is how long an end may take: the ten seconds that are promised, and what a busy machine adds.
const endLimit = 20 * time.Second

// terminate sends SIGTERM and returns the exit code and how long the end took.
func (s *server) terminate() (code int, took time.Duration) {
	began := time.Now()
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may be gone already
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.kill()
	}
	return s.cmd.ProcessState.ExitCode(), time.Since(began)
}

// writeConfig makes a directory's tidemark.yaml with a source makini of a known secret.
func writeConfig(t testing.TB, dir, more string) {
	t.Helper()
	text := "data_dir: data\nsources: {makini: {provider: makini, secrets: [" + testSecret + "]}}\n" + more
	if err := os.WriteFile(filepath.Join(dir, "tidemark.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

var errNotFound = errors.New("not found")

// getJSON reads an answer of the API.
func getJSON(url string, into any) error {
	resp, err := testClient.Get(url)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusNotFound {
		return fmt.Errorf("GET %s: %w: %s", url, errNotFound, b)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %d %s", url, resp.StatusCode, b)
	}
	return json.Unmarshal(b, into)
}

// patience is how long anything may take on a busy machine: only what never comes uses it up.
const patience = 3 * time.Minute

// awaitApplied waits until the projections stand at the head of the log.
func awaitApplied(url string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return untilApplied(ctx, url)
}

// untilApplied waits until the projections stand at the head of the log, as long as ctx lasts.
func untilApplied(ctx context.Context, url string) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for {
		var s api.Stats
		err := getJSON(url+"/v1/stats", &s)
		if err == nil && s.Head == s.Checkpoint && s.Pending.Events == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("not everything is applied after %s: %+v", time.Since(began), s), err)
		}
	}
}
