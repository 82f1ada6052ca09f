// Package launch starts the processes that are measured, waits until they say
// that they listen, reads what they use, and stops them.
//
// Guarantee: no process outlives the benchmark: each is stopped by Stop, and
// by the kernel if the benchmark dies without calling it.
package launch

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Server is a process that answers HTTP on Addr (host:port).
type Server struct {
	Addr string
	// Ready is how long it took from the start of the process to the line that says so.
	Ready time.Duration
	cmd   *exec.Cmd
	said  *tail
	over  chan struct{}
	err   error
}

const saysReady = "listening on http://"

// Start runs a command and waits until it prints `listening on http://ADDR` on stderr.
func Start(ctx context.Context, cmd *exec.Cmd) (*Server, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	s := &Server{cmd: cmd, said: new(tail), over: make(chan struct{})}
	addr := make(chan string, 1)
	go func() {
		s.watch(stderr, addr)
		s.err = cmd.Wait()
		close(s.over)
	}()
	select {
	case s.Addr = <-addr:
		s.Ready = time.Since(start)
		return s, nil
	case <-s.over:
		return nil, fmt.Errorf("%s ended before it listened: %v\n%s", cmd.Path, s.err, s.said)
	case <-ctx.Done():
		s.Kill()
		return nil, fmt.Errorf("%s did not listen: %w\n%s", cmd.Path, ctx.Err(), s.said)
	}
}

func (s *Server) watch(stderr io.Reader, addr chan<- string) {
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		s.said.add(lines.Text())
		if _, after, found := strings.Cut(lines.Text(), saysReady); found {
			word, _, _ := strings.Cut(after, " ")
			select {
			case addr <- word:
			default:
			}
		}
	}
}

// Said returns the last lines the process printed on stderr.
func (s *Server) Said() string { return s.said.String() }

// Stop sends SIGTERM and waits for the process to end by itself with 0.
func (s *Server) Stop() error {
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.over:
	case <-time.After(30 * time.Second):
		s.Kill()
		return fmt.Errorf("%s did not stop within 30 s of SIGTERM\n%s", s.cmd.Path, s.said)
	}
	if s.err != nil {
		return fmt.Errorf("%s stopped with %w\n%s", s.cmd.Path, s.err, s.said)
	}
	return nil
}

// Kill ends the process at once, as a crash would.
func (s *Server) Kill() {
	s.cmd.Process.Kill()
	<-s.over
}

// PID returns the id of the process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Output runs this program anew with arguments, in a process of its own, and
// returns what it prints on stdout.
func Output(ctx context.Context, args ...string) ([]byte, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, exit.Stderr)
	}
	return out, err
}

// tail keeps the last lines of a text.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == 40 {
		t.lines = t.lines[1:]
	}
	t.lines = append(t.lines, line)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}
