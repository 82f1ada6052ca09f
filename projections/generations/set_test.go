package generations_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/memstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/generations"
	"github.com/tidemark-dev/tidemark/projections/projectiontest"
)

// rig is a log with a history and a root for generations.
type rig struct {
	t      *testing.T
	root   string
	log    *memstore.Store
	oracle *projectiontest.Oracle
	defs   map[string]*providers.Definition
	shape  projectiontest.Shape
	rng    *rand.Rand
	groups int
	logs   slog.Handler
	aside  func()
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, root: t.TempDir(), shape: projectiontest.Messy, rng: rand.New(rand.NewPCG(21, 22)), logs: slog.DiscardHandler}
	r.shape.Events = 200
	r.defs = projectiontest.Definitions(t, r.shape)
	groups := projectiontest.Groups(r.rng, projectiontest.Draw(r.rng, r.shape), 4)
	r.groups = len(groups)
	r.log, r.oracle = projectiontest.Store(groups)
	return r
}

// more appends another history's events to the log.
func (r *rig) more(n int) {
	s := r.shape
	s.Events, s.Connections = n, 9
	for _, g := range projectiontest.Groups(r.rng, projectiontest.Draw(r.rng, s), 4) {
		p := r.log.AppendGroup(g)
		for i, e := range g {
			r.oracle.Add(e, uint64(p), i)
		}
		r.groups++
	}
}

func (r *rig) open() *generations.Set {
	r.t.Helper()
	s, err := generations.Open(generations.Options{
		Root: r.root, Log: r.log, Definitions: r.defs, Logger: slog.New(r.logs),
		Now: time.Now, Aside: r.aside,
		Fatal: func(path string, err error) { panic(fmt.Sprint(path, err)) },
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// run runs a set until stop is called, which closes it.
func (r *rig) run(s *generations.Set) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil && !errors.Is(err, eventstore.ErrIntegrity) {
			r.t.Error(err)
		}
		if err := s.Close(); err != nil {
			r.t.Error(err)
		}
	}
	r.t.Cleanup(stop)
	return stop
}

func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for looks := 0; !ok(); looks++ { // counted, so that time in which the process does not run is none
		if looks > 30_000 {
			r.t.Fatalf("never: %s", what)
		}
		<-tick.C
	}
}

func (r *rig) state(s *generations.Set, want generations.State) generations.Job {
	r.t.Helper()
	var j generations.Job
	r.eventually(string("rebuild is "+want), func() bool {
		j, _ = s.Job("last")
		if j.State == generations.Failed && want != generations.Failed {
			r.t.Fatalf("the rebuild failed: %s", j.Error)
		}
		return j.State == want
	})
	return j
}

// caughtUp waits for the head and holds every state to the oracle.
func (r *rig) caughtUp(s *generations.Set) {
	r.t.Helper()
	r.eventually("the head is reached", func() bool {
		v, err := s.View()
		if err != nil {
			r.t.Fatal(err)
		}
		defer func() { _ = v.Close() }()
		return v.Checkpoint().Position == uint64(r.groups)
	})
	v, err := s.View()
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	projectiontest.CheckView(r.t, v, r.oracle)
}

// The goroutine that follows the log steps aside, once, and no other does while nothing is rebuilt.
func TestWhoFollowsTheLogStepsAside(t *testing.T) {
	r := newRig(t)
	var mu sync.Mutex
	var aside []string
	r.aside = func() {
		stack := make([]byte, 16<<10)
		mu.Lock()
		defer mu.Unlock()
		aside = append(aside, string(stack[:runtime.Stack(stack, false)]))
	}
	s := r.open()
	stop := r.run(s)
	r.caughtUp(s)
	r.more(20)
	r.caughtUp(s)
	stop()
	if len(aside) != 1 || !strings.Contains(aside[0], "(*Set).Run.func") {
		t.Fatalf("%d goroutines stepped aside, want the one of Run: %s", len(aside), aside)
	}
}

func TestARebuildChangesNothingWithoutACause(t *testing.T) {
	r := newRig(t)
	s := r.open()
	r.run(s)
	r.caughtUp(s)
	before := s.Path()
	for _, req := range []generations.Request{{DryRun: true}, {Verify: true}, {Refold: true, DryRun: true}, {}} {
		if _, err := s.Start(req); err != nil {
			t.Fatal(err)
		}
		want := generations.Reported
		if req == (generations.Request{}) {
			want = generations.Promoted
		}
		j := r.state(s, want)
		if j.Report == nil || j.Report.Differs() || j.Result == nil || j.Result.Events == 0 {
			t.Fatalf("%+v: report %+v, result %+v", req, j.Report, j.Result)
		}
		if req.Verify && (j.Verified == nil || !j.Verified.Equal) {
			t.Fatalf("verified %+v", j.Verified)
		}
		if (s.Path() == before) != (want == generations.Reported) {
			t.Fatalf("%+v: %s serves, %s did", req, s.Path(), before)
		}
		r.more(20)
		r.caughtUp(s)
	}
	from, to, err := s.Rollback(t.Context())
	if err != nil || from == to || s.Path() != before {
		t.Fatalf("rollback from %s to %s: %v", from, to, err)
	}
	r.caughtUp(s)
}

// mended is makini with another meaning of one event type.
func mended(t *testing.T) *providers.Definition {
	src, err := os.ReadFile("../../ingest/providers/makini.yaml")
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(src, []byte("{lifecycle: disconnected}"), []byte("{lifecycle: paused}"), 1)
	if bytes.Equal(src, changed) {
		t.Fatal("the definition no longer has the rule that this test changes")
	}
	d, err := providers.Parse("makini-mended", changed)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAChangedDefinitionIsReviewed(t *testing.T) {
	r := newRig(t)
	s := r.open()
	stop := r.run(s)
	r.caughtUp(s)
	stop()
	d := mended(t)
	for source := range r.defs {
		r.defs[source] = d
	}
	// The start itself begins a rebuild; it is cancelled and begun again for review.
	s = r.open()
	if j, err := s.Job("last"); err != nil || j.State != generations.Building || j.Request.Reason == "" {
		t.Fatalf("a start with another definition: %+v, %v", j, err)
	}
	if _, err := s.Cancel("last"); err != nil {
		t.Fatal(err)
	}
	stop = r.run(s)
	if _, err := s.Start(generations.Request{Review: true}); err != nil {
		t.Fatal(err)
	}
	j := r.state(s, generations.Review)
	want := 0
	for name, events := range r.oracle.Connections {
		disconnected := projectiontest.Fold("", name, events, projectiontest.When{})["lifecycle"].(map[string]any)["value"] == "disconnected"
		if disconnected {
			want++
		}
	}
	if int(j.Report.Changed) < want || want == 0 {
		t.Fatalf("report counts %d changed, at least %d are", j.Report.Changed, want)
	}
	for _, g := range j.Report.Groups {
		if g.Facet == "lifecycle" && g.Old == "disconnected" && g.New == "paused" && int(g.Connections) != want {
			t.Errorf("%d went from disconnected to paused, want %d", g.Connections, want)
		}
	}
	if path, err := s.ReportFile(j.ID); err != nil {
		t.Error(err)
	} else if b, err := os.ReadFile(path); err != nil || bytes.Count(b, []byte("\n")) != int(j.Report.Changed) {
		t.Errorf("%d lines of differences, want %d (%v)", bytes.Count(b, []byte("\n")), j.Report.Changed, err)
	}
	if _, err := s.Start(generations.Request{}); !errors.Is(err, generations.ErrBusy) {
		t.Errorf("another rebuild during a review: %v", err)
	}
	// A review outlasts a restart.
	stop()
	s = r.open()
	r.run(s)
	r.state(s, generations.Review)
	if _, err := s.Promote(j.ID); err != nil {
		t.Fatal(err)
	}
	r.state(s, generations.Promoted)
	v, err := s.View()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	paused := v.Stats().ByHealth["paused"]
	if int(paused) != want || v.Stats().ByHealth["disconnected"] != 0 {
		t.Errorf("after the promotion %v, want %d paused", v.Stats().ByHealth, want)
	}
}

func TestARebuildSurvivesRestartsAndSteering(t *testing.T) {
	r := newRig(t)
	s := r.open()
	stop := r.run(s)
	r.caughtUp(s)
	j, err := s.Start(generations.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Pause(j.ID); err != nil && !errors.Is(err, generations.ErrState) {
		t.Fatal(err)
	}
	stop()
	r.more(40)
	s = r.open()
	stop = r.run(s)
	if got, _ := s.Job(j.ID); got.Paused {
		if _, err := s.Resume(j.ID); err != nil {
			t.Fatal(err)
		}
	}
	r.state(s, generations.Promoted)
	r.caughtUp(s)
	if j, err = s.Start(generations.Request{Review: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Cancel(j.ID); err != nil {
		t.Fatal(err)
	}
	serving := s.Path()
	r.eventually("what was cancelled is gone", func() bool {
		_, err := os.Stat(r.root + "/" + j.Generation)
		return errors.Is(err, os.ErrNotExist)
	})
	stop()
	s = r.open()
	r.run(s)
	if s.Path() != serving {
		t.Errorf("%s serves, %s did", s.Path(), serving)
	}
	r.caughtUp(s)
}

// While generations follow each other under ingest, every reader sees whole
// ones: positions never go back and counts never shrink.
func TestReadersSeeWholeGenerations(t *testing.T) {
	r := newRig(t)
	s := r.open()
	r.run(s)
	r.caughtUp(s)
	stopReading := make(chan struct{})
	read := make(chan error, 1)
	go func() {
		var last projections.Checkpoint
		for {
			select {
			case <-stopReading:
				read <- nil
				return
			default:
			}
			v, err := s.View()
			if err != nil {
				read <- err
				return
			}
			c := v.Checkpoint()
			_ = v.Close()
			if c.Position < last.Position || c.Events() < last.Events() {
				read <- fmt.Errorf("a reader saw %+v after %+v", c, last)
				return
			}
			last = c
		}
	}()
	for range 3 {
		if _, err := s.Start(generations.Request{}); err != nil {
			t.Fatal(err)
		}
		r.more(30)
		r.state(s, generations.Promoted)
		r.more(30)
	}
	r.caughtUp(s)
	close(stopReading)
	if err := <-read; err != nil {
		t.Error(err)
	}
}
