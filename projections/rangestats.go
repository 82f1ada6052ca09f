package projections

import (
	"errors"
	"time"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// RangeStats is what a connection's timeline says of From <= t < To.
type RangeStats struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to" doc:"Not counted itself"`
	// Events counts distinct events in the range, Late those that came late.
	Events uint64                `json:"events" doc:"Distinct events"`
	Late   uint64                `json:"late" doc:"Events that came after one of a later effective time"`
	Facets map[string]FacetStats `json:"facets" doc:"Each facet by its name"`
	Sync   SyncStats             `json:"sync" doc:"Syncs that ended"`
	// Availability is the share of the time at which connectivity was known that it was online.
	Availability *float64 `json:"availability,omitempty" doc:"Share of the time at which connectivity was known that it was online; left out where it never was known"`
}

// FacetStats is one facet over a range.
type FacetStats struct {
	// Seconds is how long each value held; values that never held are left out.
	Seconds map[string]float64 `json:"seconds" doc:"How long each value held; values that never held are left out"`
	// Transitions counts changes of the value within the range.
	Transitions uint64 `json:"transitions" doc:"Changes of the value"`
}

// SyncStats counts syncs that ended within a range.
type SyncStats struct {
	Succeeded   uint64   `json:"succeeded"`
	Failed      uint64   `json:"failed"`
	SuccessRate *float64 `json:"success_rate,omitempty" doc:"Succeeded by all that ended"`
}

// RangeStats returns a connection's statistics between the bounds, which are in
// order: one RangeStats for each pair of neighbours. They are exact whatever came late, since they are
// joined from the same summaries as the state. It returns ErrNotFound for an unknown connection.
func (v *View) RangeStats(source, id string, w When, bounds []time.Time) ([]RangeStats, error) {
	row, err := v.row(source, id)
	if err != nil {
		return nil, err
	}
	if len(bounds) < 2 {
		return nil, nil
	}
	r := v.reader(&row)
	at := func(i int) timeline.Key { return timeline.Key{Effective: clampNano(bounds[i])} }
	var all []RangeStats
	before, err := r.Range(timeline.MinKey, at(0), w.known())
	for i := 1; i < len(bounds) && err == nil; i++ {
		var within timeline.Summary
		if within, err = r.Range(at(i-1), at(i), w.known()); err == nil {
			all = append(all, rangeStats(bounds[i-1], bounds[i], &before, &within))
			before.Join(&within)
		}
	}
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	return all, nil
}

func rangeStats(from, to time.Time, before, within *timeline.Summary) RangeStats {
	s := RangeStats{From: from.UTC(), To: to.UTC(), Events: within.Events, Late: within.Late, Facets: map[string]FacetStats{}}
	at := connections.Values(before)
	a, b := clampNano(from), clampNano(to)
	for f := range within.Facets {
		facet, run := providers.Facet(f), &within.Facets[f]
		held := run.Held
		fs := FacetStats{Seconds: map[string]float64{}}
		if run.Sets == 0 {
			held[at[f]-1] += b - a
		} else {
			held[at[f]-1] += run.FirstKey.Effective - a
			held[run.Last-1] += b - run.LastKey.Effective
			fs.Transitions = run.Runs - 1
			if run.First != at[f] {
				fs.Transitions++
			}
		}
		for i, ns := range held {
			if ns > 0 {
				fs.Seconds[facet.Values()[i]] = time.Duration(ns).Seconds()
			}
		}
		s.Facets[facet.String()] = fs
		if facet == providers.Connectivity {
			s.Availability = share(held[providers.ConnectivityOnline-1], held[providers.ConnectivityOffline-1])
		}
	}
	s.Sync.Succeeded, s.Sync.Failed = within.Sync.Successes, within.Sync.Failures
	s.Sync.SuccessRate = share(int64(s.Sync.Succeeded), int64(s.Sync.Failed))
	return s
}

// share is part/(part+rest), nil where both are 0.
func share(part, rest int64) *float64 {
	if part+rest == 0 {
		return nil
	}
	v := float64(part) / float64(part+rest)
	return &v
}
