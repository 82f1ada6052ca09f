package stream_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/tidemark-dev/tidemark/eventstore/stream"
	"github.com/tidemark-dev/tidemark/internal/loopback"
)

// binary is the nats-server of the module's own dependency, built once.
var binary struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if binary.dir != "" {
		os.RemoveAll(binary.dir)
	}
	os.Exit(code)
}

func natsServer(t testing.TB) string {
	t.Helper()
	binary.once.Do(func() {
		if binary.dir, binary.err = os.MkdirTemp("", "nats-server-"); binary.err != nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", binary.dir, "github.com/nats-io/nats-server/v2").CombinedOutput()
		if err != nil {
			binary.err = fmt.Errorf("go build nats-server: %w: %s", err, out)
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return filepath.Join(binary.dir, "nats-server")
}

// server is a nats-server process.
type server struct {
	t       testing.TB
	name    string // in a cluster
	config  string
	addr    string
	monitor string
	cmd     *exec.Cmd
}

// startServer runs a nats-server that syncs every message, with more lines of configuration if
// there are any. It ends with the test.
func startServer(t testing.TB, more ...string) *server {
	t.Helper()
	s := prepareServer(t, more...)
	s.run()
	return s
}

// prepareServer is startServer up to the start.
func prepareServer(t testing.TB, more ...string) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{t: t, config: filepath.Join(dir, "nats.conf"), addr: loopback.Addr(t), monitor: loopback.Addr(t)}
	config := fmt.Sprintf("listen: %s\nhttp: %s\nmax_payload: 8MB\njetstream { store_dir: %q, sync_interval: always }\n", s.addr, s.monitor, dir)
	config += strings.Join(more, "")
	if err := os.WriteFile(s.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	return s
}

// run starts the process and waits until JetStream works.
func (s *server) run() {
	s.t.Helper()
	s.launch()
	s.awaitHealth()
}

// launch starts the process.
func (s *server) launch() {
	s.t.Helper()
	s.cmd = exec.Command(natsServer(s.t), "-c", s.config)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// awaitHealth waits until JetStream works.
func (s *server) awaitHealth() {
	s.t.Helper()
	stream.Until(s.t, "nats-server is healthy", func() bool {
		answer, err := http.Get("http://" + s.monitor + "/healthz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

// kill ends the process at once, as a crash does.
func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	s.signal(syscall.SIGKILL)
	var exit *exec.ExitError
	if err := s.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		s.t.Error(err)
	}
	s.cmd = nil
}

func (s *server) signal(sig syscall.Signal) {
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Errorf("signal %v: %v", sig, err)
	}
}

// stop suspends the process and waits until it stands still: the signal alone comes back while the
// process's threads are still at work, and may acknowledge what is sent to them meanwhile.
func (s *server) stop() {
	s.t.Helper()
	s.signal(syscall.SIGSTOP)
	var status syscall.WaitStatus
	for {
		switch _, err := syscall.Wait4(s.cmd.Process.Pid, &status, syscall.WUNTRACED, nil); {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			s.t.Fatal(err)
		case !status.Stopped():
			s.t.Fatalf("nats-server ended when it was to stand still: %#x", int(status))
		default:
			return
		}
	}
}

func (s *server) url() string { return "nats://" + s.addr }

// options are those of a log on the server.
func (s *server) options(prefix string) stream.Options {
	return stream.Options{URL: s.url(), Prefix: prefix}
}

// moveTo gives a server that does not run the address of another.
func (s *server) moveTo(to *server) {
	s.t.Helper()
	config, err := os.ReadFile(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	moved := strings.ReplaceAll(string(config), s.addr, to.addr)
	if err := os.WriteFile(s.config, []byte(moved), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.addr = to.addr
}
