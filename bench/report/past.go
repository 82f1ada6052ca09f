package report

import (
	"fmt"
	"slices"

	"github.com/tidemark-dev/tidemark/bench/past"
	"github.com/tidemark-dev/tidemark/bench/stats"
)

// Past is what questions about the past of one connection cost.
type Past struct {
	Measured
	Runs []PastRun `json:"runs"`
}

// PastRun is one history.
type PastRun struct {
	History int         `json:"history"`
	Asked   past.Result `json:"asked"`
}

func (p *Past) histories() []int {
	var out []int
	for _, r := range p.Runs {
		if !slices.Contains(out, r.History) {
			out = append(out, r.History)
		}
	}
	slices.Sort(out)
	return out
}

// of returns the latencies on one axis.
func (p *Past) of(history int, axis string) []stats.Latency {
	var out []stats.Latency
	for _, r := range p.Runs {
		if r.History == history {
			out = append(out, r.Asked[axis])
		}
	}
	return out
}

// targets compares the longest history with the shortest, by valid_at.
func (p *Past) targets() []target {
	histories := p.histories()
	if len(histories) < 2 {
		return nil
	}
	short, long := histories[0], histories[len(histories)-1]
	mine, base := over(p.of(long, past.ValidAt), p99Of), over(p.of(short, past.ValidAt), p99Of)
	ratio := mine.Median / max(base.Median, 1)
	what := fmt.Sprintf("valid_at, connection with %s events, p99", count(float64(long)))
	return []target{
		{what, spread(mine, length), fmt.Sprintf("%s events: %s; %s", count(float64(short)), spread(base, length), times(ratio)), "at most 3x", ratio <= 3},
		{what, spread(mine, length), "–", "under 1 ms", mine.Median < 1e6},
	}
}

func (p *Past) table() string {
	out := newTable("events of the connection", "asked as of", "p50", "p99", "max")
	for _, history := range p.histories() {
		for _, axis := range past.Axes {
			met := p.of(history, axis)
			out.row(count(float64(history)), axis, spread(over(met, p50Of), length), spread(over(met, p99Of), length), spread(over(met, maxOf), length))
		}
	}
	return out.String()
}
