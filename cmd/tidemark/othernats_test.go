package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/api"
	"github.com/tidemark-dev/tidemark/internal/loopback"
)

// natsProcess is a nats-server on an address that several take turns at.
type natsProcess struct {
	t      *testing.T
	bin    string
	addr   string
	cmd    *exec.Cmd
	stores map[string]string
}

func newNATS(t *testing.T) *natsProcess {
	t.Helper()
	n := &natsProcess{t: t, bin: filepath.Join(t.TempDir(), "nats-server"), addr: loopback.Addr(t), stores: map[string]string{}}
	if out, err := exec.Command("go", "build", "-o", n.bin, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		t.Fatalf("build nats-server: %v: %s", err, out)
	}
	t.Cleanup(n.stop)
	return n
}

// serve stops the server that runs and starts the one that has that store.
func (n *natsProcess) serve(store string) {
	n.t.Helper()
	n.stop()
	dir, ok := n.stores[store]
	if !ok {
		dir = n.t.TempDir()
		n.stores[store] = dir
	}
	config := filepath.Join(dir, "nats.conf")
	text := fmt.Sprintf("listen: %s\njetstream { store_dir: %q, sync_interval: always }\n", n.addr, dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
	n.cmd = exec.Command(n.bin, "-c", config)
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
}

func (n *natsProcess) stop() {
	if n.cmd != nil {
		_ = n.cmd.Process.Kill() // it may be gone already
		_ = n.cmd.Wait()
		n.cmd = nil
	}
}

// readyz is what the server says of itself.
func readyz(t *testing.T, url string) (code int, said string) {
	t.Helper()
	resp, err := testClient.Get(url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestAnotherNATSStream puts another server in the place of the one that has the log: no
// webhook is stored there, neither by a server that runs nor by one that starts, and all is well again with the first.
func TestAnotherNATSStream(t *testing.T) {
	nats := newNATS(t)
	ours, others := t.TempDir(), t.TempDir()
	for _, dir := range []string{ours, others} {
		writeConfig(t, dir, "nats: {url: \"nats://"+nats.addr+"\"}\n")
	}
	send := func(s *server, n int64) {
		t.Helper()
		l := newLoad(-1)
		l.run(t.Context(), s.url, n)
		if got := len(l.acknowledged()); got != int(n) {
			t.Fatalf("%d of %d webhooks were acknowledged", got, n)
		}
		if err := awaitApplied(s.url, patience); err != nil {
			t.Fatal(err)
		}
	}
	head := func(dir string) uint64 {
		t.Helper()
		s := mustStart(t, dir)
		defer s.terminate()
		var stats api.Stats
		if err := getJSON(s.url+"/v1/stats", &stats); err != nil {
			t.Fatal(err)
		}
		return stats.Head
	}
	nats.serve("others")
	s := mustStart(t, others)
	for range 20 {
		send(s, 1)
	}
	s.terminate()
	before := head(others)

	nats.serve("ours")
	s = mustStart(t, ours)
	send(s, 5)
	refused := func(when string) {
		t.Helper()
		deadline := time.Now().Add(patience)
		for {
			if id, err := postWebhook(s.url, []byte(`{"id":"on top","event_type":"sync.started","connection_id":"conn/1"}`)); err == nil {
				t.Fatalf("%s: event %s is stored in another log", when, id)
			}
			code, said := readyz(t, s.url)
			if code == http.StatusServiceUnavailable && strings.Contains(said, "integrity failure") {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: /readyz does not say so: %d %s", when, code, said)
			}
		}
	}
	nats.serve("others")
	refused("while it runs")
	s.terminate()
	s = mustStart(t, ours)
	refused("after a start")
	s.terminate()
	if after := head(others); after != before {
		t.Errorf("the other log ends at position %d, and did at %d", after, before)
	}
	nats.serve("ours")
	s = mustStart(t, ours)
	send(s, 5)
}
