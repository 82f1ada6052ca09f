package deploytest

import (
	"bytes"
	"context"
	"debug/elf"
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
)

// patience is how long anything here may take on a busy machine.
const patience = 3 * time.Minute

// machine stands in for the container: a directory for its paths, and
// loopback ports for its addresses.
type machine struct {
	dir     string
	replace []string // pairs: what the files say, what stands for it here
}

// path is where a path inside the container is here.
func (m *machine) path(p string) string { return filepath.Join(m.dir, p) }

// stand replaces a path, address or host name in all that the machine runs.
func (m *machine) stand(from, to string) { m.replace = append(m.replace, from, to) }

func (m *machine) adapt(s string) string { return strings.NewReplacer(m.replace...).Replace(s) }

func (m *machine) adaptAll(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = m.adapt(w)
	}
	return out
}

// mount lays out a service's volumes. A file of the project is copied with its
// paths and addresses replaced; a named volume is a directory, empty at first.
func (m *machine) mount(t *testing.T, volumes []string) {
	t.Helper()
	for _, v := range volumes {
		from, to, _ := strings.Cut(v, ":")
		to = strings.TrimSuffix(to, ":ro")
		if name, ours := strings.CutPrefix(from, "./"); ours {
			m.write(t, to, m.adapt(read(t, name)))
		} else if err := os.MkdirAll(m.path(to), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

func (m *machine) write(t *testing.T, name, text string) {
	t.Helper()
	p := m.path(name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// process is a running program and what it printed.
type process struct {
	name string
	cmd  *exec.Cmd
	out  output
	done chan error
}

type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// start runs words with exactly the environment given, as a container would.
func start(t *testing.T, words, env []string) *process {
	t.Helper()
	p := &process{name: filepath.Base(words[0]), cmd: exec.Command(words[0], words[1:]...), done: make(chan error, 1)}
	p.cmd.Env = env
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.Dir = t.TempDir()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // "already finished" where the test stopped it
		if t.Failed() {
			t.Logf("%s printed:\n%s", p.name, p.out.String())
		}
	})
	return p
}

// stop sends SIGTERM and wants exit status 0 within the limit.
func (p *process) stop(t *testing.T, limit time.Duration) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("%s: SIGTERM: %v", p.name, err)
	}
	select {
	case err := <-p.done:
		if err != nil {
			t.Errorf("%s: after SIGTERM: %v, want exit status 0", p.name, err)
		}
	case <-time.After(limit):
		t.Errorf("%s: still running %v after SIGTERM", p.name, limit)
	}
}

// until polls a condition while the process lives.
func (p *process) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.After(patience)
	for !ok() {
		select {
		case err := <-p.done:
			p.done <- err
			t.Fatalf("%s exited (%v) before %s", p.name, err, what)
		case <-limit:
			t.Fatalf("%s: waited %v for %s", p.name, patience, what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// run runs a command to its end and returns what it wrote to stdout.
func run(words, env []string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = env
	out, err := cmd.Output()
	return string(out), err
}

// status is the answer to a GET with a key, or without one where it is "". It is
// 0 where nobody answers.
func status(url, key string) (int, string) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return 0, err.Error()
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	c := http.Client{Timeout: 5 * time.Second}
	resp, err := c.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body) // a short body fails what the caller looks for in it
	return resp.StatusCode, string(body)
}

// buildTidemark builds the program. With TIDEMARK_LONG=1 it runs the very line
// of the Dockerfile, which compiles every dependency once more, and checks
// that the result runs on an empty base.
func buildTidemark(t *testing.T) string {
	t.Helper()
	watchSources(t)
	bin := filepath.Join(t.TempDir(), "tidemark")
	line := "go build -o " + bin + " ./cmd/tidemark"
	const image = "/out/tidemark"
	long := os.Getenv("TIDEMARK_LONG") == "1"
	if long {
		line = strings.ReplaceAll("CGO_ENABLED=0"+instruction(t, "RUN CGO_ENABLED=0"), image, bin)
	}
	build(t, line)
	if long {
		static(t, bin)
	}
	return bin
}

// buildNATS builds nats-server from the module that go.mod pins.
func buildNATS(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "nats-server")
	build(t, "go build -o "+bin+" github.com/nats-io/nats-server/v2")
	return bin
}

func build(t *testing.T, line string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
}

// static wants a binary that asks for no loader: an empty base has none.
func static(t *testing.T, bin string) {
	t.Helper()
	f, err := elf.Open(bin)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the Dockerfile's build line makes a binary that needs a dynamic loader")
		}
	}
}
