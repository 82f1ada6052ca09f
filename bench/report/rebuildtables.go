package report

import (
	"fmt"

	"github.com/tidemark-dev/tidemark/bench/pgfold"
	"github.com/tidemark-dev/tidemark/bench/rebuilding"
	"github.com/tidemark-dev/tidemark/bench/stats"
	"github.com/tidemark-dev/tidemark/projections/rebuild"
)

var rebuildNames = map[string]string{
	rebuilding.Bare:    "bare ordered consumer, pipe in the process",
	rebuilding.BareTCP: "bare ordered consumer, TCP on loopback",
	rebuilding.Cursor:  "Tidemark's cursor: checksums, order, envelopes decoded",
	rebuilding.Rebuild: "**rebuild**",
	rebuilding.Verify:  "**verify**, its rebuild alone",
	rebuilding.Refold:  "**refold**, no log read",
	pgfold.Set:         "PostgreSQL, sets throughout",
	pgfold.Rows:        "PostgreSQL, folded row by row",
}

const (
	wantOfBare    = 0.6
	wantPerSecond = 500_000
	wantVerify    = 1.2
)

// targets judges every history.
func (r *Rebuild) targets() []target {
	var out []target
	for _, h := range r.Histories {
		runs := r.of(h, rebuilding.Rebuild)
		if len(runs) == 0 {
			continue
		}
		mine, right := r.rate(h, rebuilding.Rebuild), allRight(runs)
		what, ours := "rebuild, "+h.String()+", events/s", spread(mine, count)
		if !right {
			ours += ", **wrong**"
		}
		if h.Group > 1 {
			out = append(out, target{what, ours, "–", "at least 500,000", right && mine.Median >= wantPerSecond})
		} else if side, theirs := r.fastest(h); theirs.Median > 0 {
			ratio := mine.Median / theirs.Median
			out = append(out, target{what, ours, rebuildNames[side] + ": " + spread(theirs, count) + "; " + times(ratio), "at least 0.60x", right && ratio >= wantOfBare})
		}
		if way, theirs := r.best(h.Connections); theirs.Median > 0 {
			ratio := mine.Median / theirs.Median
			out = append(out, target{what, ours, rebuildNames[way] + ": " + spread(theirs, count) + "; " + times(ratio), "ahead", right && ratio > 1})
		}
		if refolds := r.of(h, rebuilding.Refold); len(refolds) > 0 {
			rate := r.rate(h, rebuilding.Refold)
			out = append(out, target{"refold, " + h.String() + ", events/s", spread(rate, count), "–", "at least 500,000", allRight(refolds) && rate.Median >= wantPerSecond})
		}
		if verifies := r.of(h, rebuilding.Verify); len(verifies) > 0 {
			out = append(out, verifyTarget(h, runs, verifies))
		}
	}
	return out
}

// verifyTarget compares verifies with rebuilds, run by run.
func verifyTarget(h History, rebuilds, verifies []RebuildRun) target {
	var ratios []float64
	for _, v := range verifies {
		for _, r := range rebuilds {
			if r.Run == v.Run {
				ratios = append(ratios, v.whole()/max(r.whole(), 1))
			}
		}
	}
	ratio := stats.Of(ratios, func(r float64) float64 { return r })
	return target{
		"verify, " + h.String(), spread(stats.Of(verifies, RebuildRun.whole), length),
		"rebuild: " + spread(stats.Of(rebuilds, RebuildRun.whole), length) + "; " + spread(ratio, times),
		"at most 1.20x", allRight(verifies) && ratio.Median <= wantVerify,
	}
}

// rebuildTable prints every side on every history.
func rebuildTable(all []*Rebuild) string {
	out := newTable("events, connections, events a message", "side", "events/s", "of the bare one", "CPU for each", "resident at most", "states")
	for _, r := range all {
		for _, h := range r.Histories {
			_, bare := r.fastest(h)
			for _, what := range []string{rebuilding.Bare, rebuilding.BareTCP, rebuilding.Cursor, rebuilding.Rebuild, rebuilding.Verify, rebuilding.Refold} {
				runs := r.of(h, what)
				if len(runs) == 0 {
					continue
				}
				rate := r.rate(h, what)
				out.row(place(h), rebuildNames[what], spread(rate, count), ofBare(what, rate, bare),
					spread(stats.Of(runs, func(r RebuildRun) float64 { return nanoseconds(r.Result.CPU) / float64(max(r.Result.Events, 1)) }), length),
					megabytes(stats.Of(runs, func(r RebuildRun) float64 { return float64(r.Result.Peak) }).Max), correctness(what, allRight(runs)))
			}
			if h.Group > 1 {
				r.sqlRows(out, h)
			}
		}
	}
	return out.String()
}

func (r *Rebuild) sqlRows(out *table, h History) {
	for _, way := range []string{pgfold.Set, pgfold.Rows} {
		if runs := r.sql(h.Connections, way); len(runs) > 0 {
			load := stats.Of(runs, func(r SQLRun) float64 { return nanoseconds(r.Load) })
			out.row(place(h), rebuildNames[way]+"; COPY before it: "+spread(load, length), spread(stats.Of(runs, SQLRun.PerSecond), count),
				"–", "–", "–", correctness(way, allRight(runs)))
		}
	}
}

func place(h History) string {
	return fmt.Sprintf("%s, %s, %d", count(float64(h.Made.Events)), count(float64(h.Connections)), h.Group)
}

func ofBare(what string, rate, bare stats.Spread) string {
	if bare.Median == 0 || what == rebuilding.Refold {
		return "–"
	}
	return times(rate.Median / bare.Median)
}

func correctness(what string, right bool) string {
	switch {
	case what == rebuilding.Bare || what == rebuilding.BareTCP || what == rebuilding.Cursor:
		return "–"
	case right:
		return "as the oracle"
	}
	return "**wrong**"
}

// phaseTable prints where the time of a rebuild and of a verify goes, and what they leave.
func phaseTable(all []*Rebuild) string {
	out := newTable("events, connections, events a message", "log", "late / again", "scan", "fold", "check", "digests, for a verify", "generation")
	for _, r := range all {
		for _, h := range r.Histories {
			runs := r.of(h, rebuilding.Rebuild)
			phase := func(p rebuild.Phase) string {
				return spread(stats.Of(runs, func(r RebuildRun) float64 { return nanoseconds(r.Result.Phases[p]) }), length)
			}
			out.row(place(h), megabytes(float64(h.Made.Bytes)), count(float64(h.Made.Late))+" / "+count(float64(h.Made.Duplicates)),
				phase(rebuild.Scan), phase(rebuild.Fold), phase(rebuild.Check),
				spread(stats.Of(r.of(h, rebuilding.Verify), func(r RebuildRun) float64 { return nanoseconds(r.Result.Digests) }), length),
				megabytes(stats.Of(runs, func(r RebuildRun) float64 { return float64(r.Result.Bytes) }).Median))
		}
	}
	return out.String()
}
