package whatif_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/memstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/projectiontest"
	"github.com/tidemark-dev/tidemark/projections/whatif"
)

// rig is a log with a history, a view of what serves, and the definitions.
type rig struct {
	t      *testing.T
	log    *memstore.Store
	groups [][]eventstore.Event
	shape  projectiontest.Shape
	defs   map[string]*providers.Definition
	view   *projections.View
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, shape: projectiontest.Messy}
	r.shape.Events, r.shape.Connections = 400, 12
	rng := rand.New(rand.NewPCG(31, 32))
	r.groups = projectiontest.Groups(rng, projectiontest.Draw(rng, r.shape), 5)
	r.log, _ = projectiontest.Store(r.groups)
	r.defs = projectiontest.Definitions(t, r.shape)
	r.view = r.project(r.defs)
	return r
}

// project is a view of what definitions make of the log.
func (r *rig) project(defs map[string]*providers.Definition) *projections.View {
	r.t.Helper()
	db, err := kv.OpenMemory(kv.Options{CacheBytes: 1 << 20, MemTableBytes: 1 << 20})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := projectiontest.Project(r.t, db, r.log, defs, 100, 0).Close(); err != nil {
		r.t.Fatal(err)
	}
	v, err := projections.NewView(db)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if err := errors.Join(v.Close(), db.Close()); err != nil {
			r.t.Error(err)
		}
	})
	return v
}

func (r *rig) try(given *providers.Definition, s whatif.Sample) whatif.Trial {
	r.t.Helper()
	got, err := whatif.Try(context.Background(), r.view, r.log, r.defs, given, s)
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

// changed is makini with a text replaced.
func changed(t *testing.T, old, new string) *providers.Definition {
	t.Helper()
	text, err := providers.Source("makini")
	if err != nil {
		t.Fatal(err)
	}
	other := bytes.Replace(text, []byte(old), []byte(new), 1)
	if bytes.Equal(text, other) {
		t.Fatalf("the definition has no %q", old)
	}
	d, err := providers.Parse("mine.yaml", other)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// body is what the tests read out of an event, by other means than a definition.
type body struct {
	Type string `json:"event_type"`
}

func bodyOf(e *eventstore.Event) (b body, ok bool) {
	err := json.Unmarshal(e.Body, &b)
	return b, err == nil
}

// A sample of the whole log says of each event and of each connection what a
// rebuild with the other definition makes of them.
func TestTheWholeLogAsASample(t *testing.T) {
	r := newRig(t)
	other := changed(t, "{lifecycle: disconnected}", "{lifecycle: paused}")
	got := r.try(other, whatif.Sample{Source: "src-0", Limit: whatif.MaxLimit})
	events, differ := 0, 0
	for _, g := range r.groups {
		for i := range g {
			if g[i].Source != "src-0" {
				continue
			}
			events++
			if b, ok := bodyOf(&g[i]); ok && b.Type == "connection.disconnected" {
				differ++
			}
		}
	}
	if int(got.Events) != events || int(got.Differ) != differ || differ == 0 || got.Cut {
		t.Errorf("%d of %d events differ, want %d of %d", got.Differ, got.Events, differ, events)
	}
	if len(got.Groups) != 1 || got.Groups[0].What != "lifecycle" || got.Groups[0].Old != "disconnected" || got.Groups[0].New != "paused" ||
		int(got.Groups[0].Events) != differ || len(got.Groups[0].Sample) == 0 {
		t.Errorf("groups %+v", got.Groups)
	}
	for _, e := range got.Shown {
		if e.Old.Sets["lifecycle"] != "disconnected" || e.New.Sets["lifecycle"] != "paused" || e.Old.Connection == "" || e.Old.EffectiveAt == nil {
			t.Fatalf("shown %+v", e)
		}
		if at := r.groups[e.Position-1][e.Index]; at.ID.String() != e.Event {
			t.Fatalf("position %d, index %d holds %s, not %s", e.Position, e.Index, at.ID, e.Event)
		}
	}

	defs := map[string]*providers.Definition{"src-0": other, "src-1": r.defs["src-1"]}
	rebuilt := r.project(defs)
	want, whole := map[string]*connections.State{}, 0
	if _, err := r.view.Connections(connections.Filter{Source: "src-0"}, func(old connections.State, _ []byte) bool {
		whole++
		s, err := rebuilt.Connection(old.Source, old.Connection)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(s, old) {
			want[old.Connection] = &s
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if int(got.Whole) != whole || got.Partial != 0 || int(got.Changed) != len(want) || len(want) == 0 || len(got.States) != len(want) {
		t.Fatalf("whole %d, partial %d, changed %d; want %d, 0, %d", got.Whole, got.Partial, got.Changed, whole, len(want))
	}
	for _, s := range got.States {
		if w := want[s.Connection]; w == nil || !reflect.DeepEqual(s.New, w) {
			t.Errorf("%s comes out as %+v, a rebuild makes %+v", s.Connection, s.New, w)
		}
	}
}

// What lies outside of a sample is not guessed at.
func TestAPartOfTheLog(t *testing.T) {
	r := newRig(t)
	other := changed(t, "{lifecycle: disconnected}", "{lifecycle: paused}")
	half := uint64(len(r.groups) / 2)
	got := r.try(other, whatif.Sample{Source: "src-0", From: half, Limit: whatif.MaxLimit})
	if got.From < half || got.Partial == 0 || got.Whole != 0 || got.Events == 0 {
		t.Errorf("behind position %d: %+v", half, got)
	}
	since := r.groups[half-1][0].ReceivedAt
	byTime := r.try(other, whatif.Sample{Source: "src-0", Since: since, Limit: whatif.MaxLimit})
	events := 0
	for _, g := range r.groups {
		for i := range g {
			if g[i].Source == "src-0" && !g[i].ReceivedAt.Before(since) {
				events++
			}
		}
	}
	if int(byTime.Events) != events || byTime.From < half {
		t.Errorf("since %s: %d events from position %d, want %d", since, byTime.Events, byTime.From, events)
	}
	cut := r.try(other, whatif.Sample{Source: "src-0", Limit: 10})
	if cut.Events != 10 || !cut.Cut {
		t.Errorf("limited to 10: %d events, cut %v", cut.Events, cut.Cut)
	}
	late := r.try(other, whatif.Sample{Source: "src-0", Since: since.AddDate(10, 0, 0), Limit: 10})
	if late.Events != 0 || late.Cut || late.Groups == nil {
		t.Errorf("behind the end: %+v", late)
	}
	if got := r.try(other, whatif.Sample{Source: "src-0", From: 1 << 40, Limit: 10}); got.Events != 0 {
		t.Errorf("behind the head: %+v", got)
	}
}

// A connection is made from its events in the log, and held to what serves.
func TestOneConnection(t *testing.T) {
	r := newRig(t)
	var name string
	if _, err := r.view.Connections(connections.Filter{Source: "src-0"}, func(s connections.State, _ []byte) bool {
		if s.Lifecycle.Value == "disconnected" && s.Counts.Duplicates > 0 {
			name = s.Connection
		}
		return name == ""
	}); err != nil {
		t.Fatal(err)
	}
	if name == "" {
		t.Fatal("the history has no connection that this could be tried on")
	}
	s := whatif.Sample{Source: "src-0", Connection: name, Limit: whatif.MaxLimit}
	if got := r.try(nil, s); got.Whole != 1 || got.Changed != 0 || got.Events == 0 || got.Differ != 0 {
		t.Errorf("what serves is not what the log says: %+v", got)
	}
	other := changed(t, "{lifecycle: disconnected}", "{lifecycle: paused}")
	got := r.try(other, s)
	if got.Whole != 1 || got.Changed != 1 || got.States[0].New.Lifecycle.Value != "paused" || got.States[0].Old.Lifecycle.Value != "disconnected" || got.Differ == 0 {
		t.Errorf("with another definition: %+v", got)
	}
	// What serves was made by another definition than the current one.
	r.defs["src-0"] = other
	if got := r.try(nil, s); got.Whole != 1 || got.Changed != 1 || got.States[0].Old.Lifecycle.Value != "disconnected" || got.States[0].New.Lifecycle.Value != "paused" {
		t.Errorf("with the mended definition: %+v", got)
	}
	// A definition that reads the connection's name elsewhere leaves nothing of it.
	moved := changed(t, "connection: [body.connection_id, body.connectionId]", "connection: [body.event_type]")
	if got := r.try(moved, s); got.Changed != 1 || got.States[0].New != nil || got.Partial == 0 || got.Groups[0].What != "connection" {
		t.Errorf("with its events elsewhere: %+v", got)
	}
	none := changed(t, "connection: [body.connection_id, body.connectionId]", "connection: [body.nothing]")
	if got := r.try(none, s); got.Changed != 1 || got.States[0].New != nil || got.Groups[0].What != "quarantine" || got.Shown[0].New.Quarantine == "" {
		t.Errorf("with its events in the quarantine: %+v", got)
	}
	if _, err := whatif.Try(context.Background(), r.view, r.log, r.defs, nil, whatif.Sample{Source: "src-0", Connection: "nobody", Limit: 1}); !errors.Is(err, projections.ErrNotFound) {
		t.Errorf("a connection that is not there: %v", err)
	}
}

func TestCheckASample(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		sample whatif.Sample
		given  bool
		ok     bool
	}{
		{whatif.Sample{Source: "src-0"}, true, true},
		{whatif.Sample{}, true, false},
		{whatif.Sample{Source: "nobody"}, true, false},
		{whatif.Sample{}, false, true},
	} {
		if err := c.sample.Check(r.defs, c.given); (err == nil) != c.ok || err != nil && !errors.Is(err, whatif.ErrSource) {
			t.Errorf("%+v, given %v: %v", c.sample, c.given, err)
		}
	}
}

func TestPositionAt(t *testing.T) {
	r := newRig(t)
	for _, g := range []int{0, 1, len(r.groups) / 3, len(r.groups) - 1} {
		at := r.groups[g][0].ReceivedAt.Truncate(time.Millisecond)
		got, err := r.view.PositionAt(at)
		if err != nil || int(got) > g+1 || int(got) < g {
			t.Errorf("the first position at %s is %d (%v), want about %d", at, got, err, g+1)
		}
	}
}
