package report

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/tidemark-dev/tidemark/bench/history"
	"github.com/tidemark-dev/tidemark/bench/pgfold"
	"github.com/tidemark-dev/tidemark/bench/rebuilding"
	"github.com/tidemark-dev/tidemark/bench/stats"
)

// RebuildFiles is what the names of the figures of rebuilds begin with; the number of events follows.
const RebuildFiles = "rebuild-"

// FoldSQL is what PostgreSQL does beside the sides that package rebuilding names.
const FoldSQL = "sql"

// Rebuild is everything measured on histories of one length.
type Rebuild struct {
	Measured
	Events    int          `json:"events"`
	Body      int          `json:"body_bytes"`
	Histories []History    `json:"histories"`
	Runs      []RebuildRun `json:"runs"`
	SQL       []SQLRun     `json:"sql"`
}

// History is one log. Made.States is what the oracle says of it.
type History struct {
	Connections int          `json:"connections"`
	Group       int          `json:"group"`
	Made        history.Made `json:"made"`
}

func (h History) String() string {
	return fmt.Sprintf("%s events, %s connections, %d a message", count(float64(h.Made.Events)), count(float64(h.Connections)), h.Group)
}

// RebuildRun is one side on one history once.
type RebuildRun struct {
	History History           `json:"history"`
	What    string            `json:"what"`
	Run     int               `json:"run"`
	Result  rebuilding.Result `json:"result"`
}

// PerSecond is the rate in events.
func (r RebuildRun) PerSecond() float64 { return perSecond(r.Result.Events, r.Result.Took) }

// Right reports whether what was made is what the oracle and the serving generation say. Readers make nothing.
func (r RebuildRun) Right() bool {
	switch r.What {
	case rebuilding.Bare, rebuilding.BareTCP, rebuilding.Cursor:
		return true
	}
	return r.Result.States == r.History.Made.States && r.Result.Equal
}

// Remark says where it is not right.
func (r RebuildRun) Remark() string { return remark(r.Right()) }

// whole is how long it took with the digest of the serving generation that follows a verify's rebuild, in nanoseconds.
func (r RebuildRun) whole() float64 { return nanoseconds(r.Result.Took + r.Result.Digests) }

// SQLRun is one fold by PostgreSQL.
type SQLRun struct {
	History History       `json:"history"`
	Run     int           `json:"run"`
	Load    time.Duration `json:"load_ns"`
	Fold    pgfold.Fold   `json:"fold"`
}

// PerSecond is the rate in events, with everything loaded before.
func (r SQLRun) PerSecond() float64 { return perSecond(r.History.Made.Events, r.Fold.Took) }

// Right reports whether what was made is what the oracle says.
func (r SQLRun) Right() bool { return r.Fold.States == r.History.Made.States }

// Remark says where it is not right.
func (r SQLRun) Remark() string { return remark(r.Right()) }

func perSecond(events int, took time.Duration) float64 {
	return float64(events) / max(took.Seconds(), 1e-9)
}

func remark(right bool) string {
	if right {
		return ""
	}
	return ", WRONG"
}

// loadRebuilds reads the figures of every length, in rising order.
func loadRebuilds(dir string) ([]*Rebuild, error) {
	files, err := filepath.Glob(filepath.Join(dir, RebuildFiles+"*.json"))
	if err != nil {
		return nil, err
	}
	var all []*Rebuild
	for _, file := range files {
		name := filepath.Base(file)
		var r *Rebuild
		if err := readInto(dir, name[:len(name)-len(".json")], &r); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *Rebuild) int { return a.Events - b.Events })
	return all, nil
}

func (r *Rebuild) of(h History, what string) []RebuildRun {
	var out []RebuildRun
	for _, run := range r.Runs {
		if run.History == h && run.What == what {
			out = append(out, run)
		}
	}
	return out
}

func (r *Rebuild) rate(h History, what string) stats.Spread {
	return stats.Of(r.of(h, what), RebuildRun.PerSecond)
}

// sql returns the folds of a history's events, whatever log they came from.
func (r *Rebuild) sql(connections int, way string) []SQLRun {
	var out []SQLRun
	for _, run := range r.SQL {
		if run.History.Connections == connections && run.Fold.Way == way {
			out = append(out, run)
		}
	}
	return out
}

// allRight reports whether there are runs and every one was right.
func allRight[R interface{ Right() bool }](runs []R) bool {
	return len(runs) > 0 && !slices.ContainsFunc(runs, func(r R) bool { return !r.Right() })
}

// fastest returns the reader that does nothing and did best on a history: what the rebuild has to stand beside.
func (r *Rebuild) fastest(h History) (what string, rate stats.Spread) {
	for _, side := range []string{rebuilding.Bare, rebuilding.BareTCP} {
		if found := r.rate(h, side); found.Median > rate.Median {
			what, rate = side, found
		}
	}
	return what, rate
}

// best returns the way of PostgreSQL that did best and was right.
func (r *Rebuild) best(connections int) (way string, rate stats.Spread) {
	for _, w := range []string{pgfold.Set, pgfold.Rows} {
		runs := r.sql(connections, w)
		if found := stats.Of(runs, SQLRun.PerSecond); allRight(runs) && found.Median > rate.Median {
			way, rate = w, found
		}
	}
	return way, rate
}
