package rebuild_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/projectiontest"
	"github.com/tidemark-dev/tidemark/projections/rebuild"
)

// buggy are the makini definitions with one bug: connection.offline says online.
func buggy(t projectiontest.T, s projectiontest.Shape) map[string]*providers.Definition {
	t.Helper()
	raw, err := os.ReadFile("../../ingest/providers/makini.yaml")
	if err != nil {
		t.Fatalf("%v", err)
	}
	at := bytes.Index(raw, []byte("type: connection.offline\n"))
	if at < 0 {
		t.Fatalf("the makini definition has no rule for connection.offline")
	}
	mutated := append(bytes.Clone(raw[:at]), bytes.Replace(raw[at:], []byte("connectivity: offline"), []byte("connectivity: online"), 1)...)
	d, err := providers.Parse("makini.yaml", mutated)
	if err != nil {
		t.Fatalf("%v", err)
	}
	all := map[string]*providers.Definition{}
	for source := range projectiontest.Definitions(t, s) {
		all[source] = d
	}
	return all
}

func view(t projectiontest.T, db *kv.DB) *projections.View {
	t.Helper()
	v, err := projections.NewView(db)
	if err != nil {
		t.Fatalf("view: %v", err)
	}
	return v
}

// expected is what the oracle says that the bug changed in one connection.
type expected struct {
	facets map[string][2]string // old and new value by facet, where anything of it differs now
	first  string               // the first event that the bug reads otherwise
}

func expect(d *drawn) map[string]expected {
	all := map[string]expected{}
	for name, events := range d.oracle.Connections {
		source, id, _ := strings.Cut(name, "\x00")
		right, sorted := projectiontest.Fold(source, id, events, projectiontest.When{}), projectiontest.Sorted(events)
		rightly := connectivity(sorted)
		e := expected{facets: map[string][2]string{}}
		for _, ev := range sorted {
			if ev.Type == "connection.offline" {
				if e.first == "" {
					e.first = ev.Event.ID.String()
				}
				ev.Sets = map[string]string{"connectivity": "online"}
			}
		}
		if e.first == "" {
			continue
		}
		wrongly := connectivity(sorted)
		wrong := projectiontest.Fold(source, id, events, projectiontest.When{})
		for _, ev := range events {
			if ev.Type == "connection.offline" {
				ev.Sets = map[string]string{"connectivity": "offline"}
			}
		}
		for _, f := range []string{"lifecycle", "connectivity", "auth", "sync", "error"} {
			if x, y := wrong[f].(map[string]any), right[f].(map[string]any); !reflect.DeepEqual(x, y) {
				e.facets[f] = [2]string{fmt.Sprint(x["value"]), fmt.Sprint(y["value"])}
			}
		}
		if wrong["health"] != right["health"] {
			e.facets["health"] = [2]string{fmt.Sprint(wrong["health"]), fmt.Sprint(right["health"])}
		}
		// What lies between events of one instant holds at none: where all else is the same, so is all that anybody can ask for.
		if len(e.facets) > 0 || !reflect.DeepEqual(wrongly, rightly) {
			all[name] = e
		}
	}
	return all
}

// past is all that a connection's row says of the past of connectivity.
type past struct {
	sets, runs         int
	first, last, since string // values, and the event since which the last one holds
	held               map[string]time.Duration
}

func connectivity(sorted []*projectiontest.Observed) past {
	p := past{held: map[string]time.Duration{}}
	var at time.Time
	for _, ev := range sorted {
		v := ev.Sets["connectivity"]
		if v == "" {
			continue
		}
		if p.sets++; p.sets == 1 {
			p.first = v
		} else if d := ev.Effective.Sub(at); d > 0 {
			p.held[p.last] += d
		}
		if v != p.last {
			p.runs++
			p.since = ev.Event.ID.String()
		}
		p.last, at = v, ev.Effective
	}
	return p
}

// A planted bug is reported for exactly those connections, facets and events
// that an independent computation names.
func TestDiffOfAPlantedBug(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 4))
		s := projectiontest.Messy
		s.Connections, s.Events = 8, rapid.IntRange(1, 200).Draw(t, "events")
		d := draw(t, rng, s, 8)
		defer d.live.Close()
		fs := vfs.NewMem()
		if _, err := rebuild.Build(context.Background(), small(fs, "gen-1", d.log, buggy(t, s), 60)); err != nil {
			t.Fatalf("build: %v", err)
		}
		was := open(t, fs, "gen-1")
		defer was.Close()
		old, new := view(t, was), view(t, d.live)
		defer old.Close()
		defer new.Close()
		want, at := expect(&d), ""
		seen := 0
		report, err := rebuild.Diff(context.Background(), old, new, func(c *rebuild.Change) error {
			name := c.Source + "\x00" + c.Connection
			if name <= at {
				t.Fatalf("%q came after %q", name, at)
			}
			at = name
			seen++
			e, ok := want[name]
			if !ok || c.Kind != rebuild.Changed {
				t.Fatalf("%q is reported as %s: %+v", name, c.Kind, c.Facets)
			}
			if c.First == nil || c.First.Event != e.first || !c.First.Exact {
				t.Fatalf("%q parts at %+v, want event %s", name, c.First, e.first)
			}
			for _, f := range c.Facets {
				values, differs := e.facets[f.Facet]
				if differs && values != [2]string{f.Old, f.New} {
					t.Fatalf("%q: %+v, want %v", name, f, values)
				}
				if !differs && !reflect.DeepEqual(f.What, []string{"history"}) {
					t.Fatalf("%q: %+v, and the oracle sees no difference", name, f)
				}
				delete(e.facets, f.Facet)
			}
			if len(e.facets) > 0 {
				t.Fatalf("%q: not reported: %v", name, e.facets)
			}
			return nil
		})
		if err != nil {
			t.Fatalf("diff: %v", err)
		}
		if seen != len(want) || int(report.Changed) != seen || report.Added+report.Removed > 0 || int(report.Compared) != len(d.oracle.Connections) {
			t.Fatalf("%d connections reported, %d expected: %+v", seen, len(want), report)
		}
		groups := uint64(0)
		for _, g := range report.Groups {
			if g.Facet == "connectivity" {
				groups += g.Connections
			}
			if len(g.Sample) == 0 || len(g.Sample) > 5 {
				t.Fatalf("group %+v", g)
			}
		}
		if groups != report.Changed {
			t.Fatalf("the groups of connectivity hold %d of %d connections", groups, report.Changed)
		}
	})
}

// A long timeline is compared by its summaries; the event is still the exact one.
func TestDiffOfALongTimeline(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	s := projectiontest.Messy
	s.Sources, s.Connections, s.Events = 1, 1, 2500
	d := draw(t, rng, s, 64)
	defer d.live.Close()
	fs := vfs.NewMem()
	if _, err := rebuild.Build(t.Context(), small(fs, "gen-1", d.log, buggy(t, s), 2000)); err != nil {
		t.Fatal(err)
	}
	was := open(t, fs, "gen-1")
	defer was.Close()
	old, new := view(t, was), view(t, d.live)
	defer old.Close()
	defer new.Close()
	want := expect(&d)
	_, err := rebuild.Diff(t.Context(), old, new, func(c *rebuild.Change) error {
		if e := want[c.Source+"\x00"+c.Connection]; c.First == nil || c.First.Event != e.first {
			return fmt.Errorf("parts at %+v, want %s", c.First, e.first)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A bug in the fold shows although both sides read every event alike.
func TestDiffOfAFoldBug(t *testing.T) {
	d := drawOne(t)
	fs := vfs.NewMem()
	if _, err := rebuild.Build(t.Context(), small(fs, "gen-1", d.log, d.definitions, 60)); err != nil {
		t.Fatal(err)
	}
	was := open(t, fs, "gen-1")
	defer was.Close()
	var row connections.Row
	it, err := was.Iter([]byte("m"), []byte("n"))
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok && row.Sum.Sync.Failures == 0; ok = it.Next() {
		if err := row.Decode(it.Key(), it.Value()); err != nil {
			t.Fatal(err)
		}
	}
	if err := it.Close(); err != nil || row.Sum.Sync.Failures == 0 {
		t.Fatalf("no connection with a failure: %v", err)
	}
	row.Sum.Sync.Trailing += 7
	b := was.Batch()
	if err := b.Set(connections.RowKey(nil, row.Source, row.ID), row.AppendTo(nil)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Commit(), b.Close()); err != nil {
		t.Fatal(err)
	}
	old, new := view(t, was), view(t, d.live)
	defer old.Close()
	defer new.Close()
	n := 0
	report, err := rebuild.Diff(t.Context(), old, new, func(c *rebuild.Change) error {
		n++
		if c.Connection != row.ID || c.Source != row.Source || len(c.Facets) != 1 || c.Facets[0].Facet != "sync" ||
			!reflect.DeepEqual(c.Facets[0].What, []string{"outcomes"}) || c.First == nil || c.First.Exact {
			t.Errorf("change %+v at %+v", c, c.First)
		}
		return nil
	})
	if err != nil || n != 1 || !report.Differs() {
		t.Fatalf("%d changes, %+v, %v", n, report, err)
	}
}

// Connections that only one side knows are named as such.
func TestDiffOfAddedAndRemoved(t *testing.T) {
	d := drawOne(t)
	fs := vfs.NewMem()
	fewer := map[string]*providers.Definition{"src-0": d.definitions["src-0"]}
	if _, err := rebuild.Build(t.Context(), small(fs, "gen-1", d.log, fewer, 60)); err != nil {
		t.Fatal(err)
	}
	was := open(t, fs, "gen-1")
	defer was.Close()
	old, new := view(t, was), view(t, d.live)
	defer old.Close()
	defer new.Close()
	for _, c := range []struct {
		old, new *projections.View
		kind     string
	}{{old, new, rebuild.Added}, {new, old, rebuild.Removed}} {
		n := 0
		report, err := rebuild.Diff(t.Context(), c.old, c.new, func(ch *rebuild.Change) error {
			n++
			if ch.Kind != c.kind || ch.Source != "src-1" || (ch.Old == nil) == (c.kind == rebuild.Removed) || ch.First == nil {
				t.Errorf("change %+v, want one %s", ch, c.kind)
			}
			return nil
		})
		if err != nil || n == 0 || int(report.Added+report.Removed) != n || report.OldQuarantine == report.NewQuarantine {
			t.Errorf("%d changes, %+v, %v", n, report, err)
		}
	}
	stop := errors.New("enough")
	if _, err := rebuild.Diff(t.Context(), old, new, func(*rebuild.Change) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the callback's error came back as %v", err)
	}
}

func TestDigest(t *testing.T) {
	d := drawOne(t)
	fs := vfs.NewMem()
	if _, err := rebuild.Build(t.Context(), small(fs, "gen-1", d.log, d.definitions, 60)); err != nil {
		t.Fatal(err)
	}
	built := open(t, fs, "gen-1")
	t.Cleanup(func() { _ = built.Close() })
	digest := func(db *kv.DB) (*projections.View, rebuild.Sum) {
		v := view(t, db)
		t.Cleanup(func() { _ = v.Close() })
		s, err := rebuild.Digest(t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		return v, s
	}
	live, a := digest(d.live)
	same, b := digest(built)
	if a.SHA256 != b.SHA256 || a.Rows != b.Rows || a.Rows == 0 {
		t.Fatalf("live %+v, built %+v", a, b)
	}
	if diff, err := rebuild.FirstDifference(t.Context(), live, same, a, b, rebuild.Options{}); diff != nil || err != nil {
		t.Fatalf("equal directories differ in %v, %v", diff, err)
	}
	lose(t, built, "t")
	lost, c := digest(built)
	if c.SHA256 == a.SHA256 {
		t.Fatal("a lost entry does not change the digest")
	}
	diff, err := rebuild.FirstDifference(t.Context(), live, lost, a, c, rebuild.Options{})
	if err != nil || diff == nil || diff.New != nil || !strings.Contains(diff.String(), "timeline entry of connection") {
		t.Fatalf("first difference %v, %v", diff, err)
	}
	t.Log(diff)
}
