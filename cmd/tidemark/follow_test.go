package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/api"
	"github.com/tidemark-dev/tidemark/projections/generations"
	"github.com/tidemark-dev/tidemark/projections/rebuild"
)

// rebuilding answers as a server does whose rebuild is under way, until end is closed. It
// cuts the first stream off, as a restart does.
type rebuilding struct {
	*httptest.Server
	followed  chan struct{} // one for each stream of events
	end       chan struct{}
	streams   atomic.Int32
	cancelled atomic.Bool
}

func newRebuilding(t *testing.T) *rebuilding {
	r := &rebuilding{followed: make(chan struct{}, 16), end: make(chan struct{})}
	j := api.Rebuild{ID: "rb-000002", Generation: "g000002", State: generations.Building,
		Progress: &rebuild.Progress{Phase: rebuild.Scan, Position: 10, To: 100, Done: 10, Total: 100, Events: 10, Rate: 5}}
	send := func(w http.ResponseWriter) {
		b, err := json.Marshal(j)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, "event: progress\ndata: %s\n\n", b)
		_ = http.NewResponseController(w).Flush() // a client that is gone needs no answer
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/rebuilds", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		_ = json.NewEncoder(w).Encode(j) // a client that is gone needs no answer
	})
	mux.HandleFunc("POST /v1/rebuilds/{id}/cancel", func(http.ResponseWriter, *http.Request) { r.cancelled.Store(true) })
	mux.HandleFunc("GET /v1/rebuilds/{id}/events", func(w http.ResponseWriter, req *http.Request) {
		send(w)
		r.followed <- struct{}{}
		if r.streams.Add(1) == 1 {
			panic(http.ErrAbortHandler)
		}
		select {
		case <-req.Context().Done():
		case <-r.end:
			j.State, j.Progress = generations.Promoted, nil
			j.Result, j.Report = &rebuild.Result{Events: 100, Placed: 100, Positions: 100}, &rebuild.Report{Compared: 3}
			send(w)
		}
	})
	r.Server = httptest.NewServer(mux)
	r.Config.ErrorLog = nil
	t.Cleanup(r.Close)
	return r
}

// follow runs tidemark rebuild against it, and returns once it follows for the second time.
func (r *rebuilding) follow(t *testing.T) (cmd *exec.Cmd, out, said *bytes.Buffer) {
	t.Helper()
	out, said = new(bytes.Buffer), new(bytes.Buffer)
	cmd = exec.Command(programPath(t), "rebuild", "--server", r.URL)
	cmd.Stdout, cmd.Stderr = out, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it may be gone already
	for range 2 {
		select {
		case <-r.followed:
		case <-time.After(patience):
			t.Fatalf("it does not follow: %s", said)
		}
	}
	return cmd, out, said
}

// TestFollowARebuild: a stream that breaks off is taken up again, and the end is told.
func TestFollowARebuild(t *testing.T) {
	r := newRebuilding(t)
	cmd, out, said := r.follow(t)
	close(r.end)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, said)
	}
	if !strings.Contains(out.String(), "100 events at 100 positions, all accounted for") || !strings.Contains(said.String(), "g000002 serves now") {
		t.Errorf("it prints %q and says %q", out, said)
	}
}

// TestStopFollowing: Ctrl-C ends the command and not the rebuild, and says how to go on.
func TestStopFollowing(t *testing.T) {
	r := newRebuilding(t)
	cmd, _, said := r.follow(t)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != exitError || ended.Sys().(syscall.WaitStatus).Signaled() {
		t.Errorf("Ctrl-C: %v", err)
	}
	for _, words := range []string{"the rebuild goes on", "rebuild status --follow", "rebuild cancel rb-000002"} {
		if !strings.Contains(said.String(), words) {
			t.Errorf("it does not say %q: %s", words, said)
		}
	}
	if r.cancelled.Load() {
		t.Error("it cancelled the rebuild")
	}
}

// TestRebuildMeter is what a person sees of a rebuild on the way.
func TestRebuildMeter(t *testing.T) {
	eta := 12.3
	m := newRebuildMeter(&app{now: time.Now})
	for _, c := range []struct {
		job  api.Rebuild
		line string
	}{
		{api.Rebuild{State: generations.Building}, "rb: beginning"},
		{api.Rebuild{State: generations.Building, EtaSeconds: &eta,
			Progress: &rebuild.Progress{Phase: rebuild.Scan, Done: 250_000, Total: 1_000_000, Rate: 812_345}},
			"rb: reading the log  [#####...............]  25% of 1,000,000 positions  812,345 events/s  about 13s of this part left"},
		{api.Rebuild{State: generations.Building, Progress: &rebuild.Progress{Phase: rebuild.Fold, Done: 12, Total: 12}},
			"rb: folding timelines  [####################]  100% of 12 events"},
		{api.Rebuild{State: generations.Building, Progress: &rebuild.Progress{Phase: rebuild.Scan, Total: 10, Waiting: "the log does not \x1b[31manswer"}},
			`rb: reading the log  [....................]  0% of 10 positions  waiting: the log does not \x1b[31manswer`},
		{api.Rebuild{State: generations.Building, Paused: true, EtaSeconds: &eta, Progress: &rebuild.Progress{Phase: rebuild.Scan, Done: 5, Total: 10}},
			"rb: paused  [##########..........]  50% of 10 positions"},
		{api.Rebuild{State: generations.Comparing, Progress: &rebuild.Progress{Phase: rebuild.Check, Done: 10, Total: 10}}, "rb: comparing"},
	} {
		c.job.ID = "rb"
		if got := m.line(&c.job, stepOf(&c.job), true); got != c.line {
			t.Errorf("%+v:\n got %s\nwant %s", c.job, got, c.line)
		}
	}
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is written %s", n, got)
		}
	}
}
