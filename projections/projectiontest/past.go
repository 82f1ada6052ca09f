package projectiontest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// CheckPast asks for every connection at drawn instants on both clocks, alone
// and together, and holds state, corrections and statistics to the oracle.
func CheckPast(t T, rng *rand.Rand, db *kv.DB, oracle *Oracle, questions int) {
	t.Helper()
	v, err := projections.NewView(db)
	if err != nil {
		t.Fatalf("view: %v", err)
	}
	defer v.Close()
	for name, events := range oracle.Connections {
		source, id, _ := strings.Cut(name, "\x00")
		for range questions {
			w := drawWhen(rng, events)
			s, err := v.ConnectionAt(source, id, projections.When(w))
			want := Fold(source, id, events, w)
			if want == nil {
				if !errors.Is(err, projections.ErrNotFound) {
					t.Fatalf("connection %q as of %v: %v, want not found", name, w, err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("connection %q as of %v: %v", name, w, err)
			}
			s.AsOf = nil
			if d := Differs(s, want); d != "" {
				t.Fatalf("connection %q as of %v: %s", name, w, d)
			}
		}
		checkCorrections(t, v, source, id, events)
		checkStats(t, rng, v, source, id, events)
		checkTimeline(t, v, source, id, events, drawWhen(rng, events), rng.IntN(2) == 0)
	}
	for _, events := range oracle.Connections {
		checkList(t, v, oracle, drawWhen(rng, events))
		return
	}
}

// checkTimeline holds the timeline as of an instant to the oracle: which events, in
// which order, and how often each had been delivered.
func checkTimeline(t T, v *projections.View, source, id string, events []*Observed, w When, descending bool) {
	t.Helper()
	var got, want []string
	err := v.TimelineAt(source, id, projections.Span{Descending: descending}, projections.When(w), func(e *timeline.Entry, known bool) bool {
		if known {
			got = append(got, fmt.Sprint(e.Event, e.Duplicates, e.Conflicts))
		}
		return true
	})
	if err != nil {
		t.Fatalf("timeline of %q as of %v: %v", id, w, err)
	}
	for _, e := range Sorted(events) {
		if !w.holds(e.Effective, e.Event.ReceivedAt) {
			continue
		}
		again, conflicts := 0, 0
		for _, d := range e.Again {
			if w.knows(d.Event.ReceivedAt) {
				again++
				if d.Conflict {
					conflicts++
				}
			}
		}
		want = append(want, fmt.Sprint(e.Event.ID, again, conflicts))
	}
	if descending {
		slices.Reverse(want)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("timeline of %q as of %v: %v, want %v", id, w, got, want)
	}
}

// checkList holds the list of connections as of an instant to the oracle.
func checkList(t T, v *projections.View, oracle *Oracle, w When) {
	t.Helper()
	asked := map[string]bool{}
	err := v.ConnectionsAt(connections.Filter{}, projections.When(w), func(s connections.State, ok bool, place []byte) bool {
		source, id, _ := strings.Cut(string(place), "\x00")
		asked[string(place)] = true
		want := Fold(source, id, oracle.Connections[string(place)], w)
		if ok != (want != nil) {
			t.Fatalf("connection %q as of %v: known is %v", place, w, ok)
		}
		if !ok {
			return true
		}
		s.AsOf = nil
		if d := Differs(s, want); d != "" {
			t.Fatalf("connection %q in the list as of %v: %s", place, w, d)
		}
		return true
	})
	if err != nil || len(asked) != len(oracle.Connections) {
		t.Fatalf("the list as of %v has %d of %d connections: %v", w, len(asked), len(oracle.Connections), err)
	}
}

// drawWhen draws an instant at, just before or just behind something that happened.
func drawWhen(rng *rand.Rand, events []*Observed) When {
	near := func(t time.Time) time.Time { return t.Add(time.Duration(rng.IntN(3) - 1)) }
	var w When
	kind := rng.IntN(3)
	if kind != 1 {
		w.ValidAt = near(events[rng.IntN(len(events))].Effective)
	}
	if kind != 0 {
		w.KnownAt = near(events[rng.IntN(len(events))].Event.ReceivedAt)
	}
	return w
}

// valueAt is the facet's value among events of the contract's order.
func valueAt(f string, sorted []*Observed) string {
	v := "unknown"
	if f == "error" {
		v = "none"
	}
	for _, e := range sorted {
		if s, ok := e.Sets[f]; ok {
			v = s
		}
	}
	return v
}

func checkCorrections(t T, v *projections.View, source, id string, events []*Observed) {
	t.Helper()
	got := map[string]int{}
	err := v.Corrections(source, id, projections.Span{}, func(_ timeline.Key, changed []projections.Correction) bool {
		for _, c := range changed {
			to := "open"
			if c.To != nil {
				to = stamp(*c.To)
			}
			got[fmt.Sprint(c.Event, c.Facet, stamp(c.From), to, c.Was, c.Is, stamp(c.LearnedAt))]++
		}
		return true
	})
	if err != nil {
		t.Fatalf("corrections of %q: %v", id, err)
	}
	want := map[string]int{}
	for _, e := range events {
		if !e.Late {
			continue
		}
		var before, after []*Observed
		seen := false
		for _, o := range Sorted(events) {
			switch {
			case o == e:
				seen = true
			case !o.Event.ReceivedAt.Before(e.Event.ReceivedAt):
			case seen:
				after = append(after, o)
			default:
				before = append(before, o)
			}
		}
		for f, is := range e.Sets {
			was := valueAt(f, before)
			if was == is {
				continue
			}
			to := "open"
			for _, o := range after {
				if _, ok := o.Sets[f]; ok {
					to = stamp(o.Effective)
					break
				}
			}
			if to != stamp(e.Effective) {
				want[fmt.Sprint(e.Event.ID, f, stamp(e.Effective), to, was, is, stamp(e.Event.ReceivedAt))]++
			}
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("corrections of %q: %v, want %v", id, got, want)
	}
}

func checkStats(t T, rng *rand.Rand, v *projections.View, source, id string, events []*Observed) {
	t.Helper()
	a := drawWhen(rng, events)
	from := Start.Add(time.Duration(rng.IntN(3600))*time.Second).AddDate(0, -rng.IntN(3), 0)
	bounds := []time.Time{from}
	for range 3 {
		bounds = append(bounds, bounds[len(bounds)-1].Add(time.Duration(1+rng.IntN(1e5))*time.Second))
	}
	a.ValidAt = time.Time{}
	got, err := v.RangeStats(source, id, projections.When(a), bounds)
	if err != nil {
		t.Fatalf("statistics of %q: %v", id, err)
	}
	for i, s := range got {
		from, to := bounds[i], bounds[i+1]
		var known []*Observed
		for _, e := range Sorted(events) {
			if a.knows(e.Event.ReceivedAt) {
				known = append(known, e)
			}
		}
		for f, fs := range s.Facets {
			seconds, transitions := map[string]float64{}, uint64(0)
			value, since := valueAt(f, nil), from
			for _, e := range known {
				is, ok := e.Sets[f]
				if !ok || !e.Effective.Before(to) {
					continue
				}
				if !e.Effective.Before(from) {
					if d := e.Effective.Sub(since).Seconds(); d > 0 {
						seconds[value] += d
					}
					since = e.Effective
					if is != value {
						transitions++
					}
				}
				value = is
			}
			seconds[value] += to.Sub(since).Seconds()
			if fs.Transitions != transitions || !near(fs.Seconds, seconds) {
				t.Fatalf("statistics of %q, %s from %v to %v: %+v, want %v and %d transitions", id, f, from, to, fs, seconds, transitions)
			}
		}
		ok, failed := uint64(0), uint64(0)
		for _, e := range known {
			if e.Effective.Before(from) || !e.Effective.Before(to) {
				continue
			}
			switch e.Sets["sync"] {
			case "succeeded":
				ok++
			case "failed":
				failed++
			}
		}
		if s.Sync.Succeeded != ok || s.Sync.Failed != failed {
			t.Fatalf("statistics of %q: %+v, want %d succeeded and %d failed", id, s.Sync, ok, failed)
		}
	}
}

// near allows for the rounding of a sum of seconds.
func near(a, b map[string]float64) bool {
	for k := range b {
		if d := a[k] - b[k]; d > 1e-6 || d < -1e-6 {
			return false
		}
	}
	for k := range a {
		if _, ok := b[k]; !ok && a[k] > 1e-6 {
			return false
		}
	}
	return true
}
