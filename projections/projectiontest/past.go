package projectiontest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
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
	err := v.Corrections(source, id, projections.Span{}, func(c projections.Correction) bool {
		to := "open"
		if c.To != nil {
			to = stamp(*c.To)
		}
		got[fmt.Sprint(c.Event, c.Facet, stamp(c.From), to, c.Was, c.Is, stamp(c.LearnedAt))]++
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
