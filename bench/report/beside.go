package report

import (
	"fmt"

	"github.com/tidemark-dev/tidemark/bench/load"
	"github.com/tidemark-dev/tidemark/bench/stats"
)

// Beside is what readers notice of a rebuild.
type Beside struct {
	Measured
	Connections int `json:"connections"`
	Events      int `json:"events"`
	// PerSecond is how many webhooks a second were due, Gets how many questions.
	PerSecond int            `json:"per_second"`
	Gets      int            `json:"gets_per_second"`
	Runs      []load.Besides `json:"runs"`
}

const wantBeside = 2

func (b *Beside) alone(figure func(stats.Latency) float64) stats.Spread {
	return stats.Of(b.Runs, func(r load.Besides) float64 { return figure(r.Alone.Gets) })
}

func (b *Beside) during(figure func(stats.Latency) float64) stats.Spread {
	return stats.Of(b.Runs, func(r load.Besides) float64 { return figure(r.During.Gets) })
}

// Whole reports whether no reader saw a state go back, and the new generation said what the old one did.
func (b *Beside) Whole() bool {
	for _, r := range b.Runs {
		if r.Changed > 0 || r.Alone.Backward+r.During.Backward > 0 {
			return false
		}
	}
	return true
}

// targets compares the readers' p99 during a rebuild with that of the same server before it.
func (b *Beside) targets() []target {
	if len(b.Runs) == 0 {
		return nil
	}
	p99 := func(l stats.Latency) float64 { return nanoseconds(l.P99) }
	mine, base := b.during(p99), b.alone(p99)
	ratio := mine.Median / max(base.Median, 1)
	what := fmt.Sprintf("GET one state during a rebuild, %s webhooks/s, %s connections, %s events, p99",
		count(float64(b.PerSecond)), count(float64(b.Connections)), count(float64(b.Events)))
	ours := spread(mine, length)
	if !b.Whole() {
		ours += ", **states go back or differ**"
	}
	return []target{{what, ours, "without one: " + spread(base, length) + "; " + times(ratio), "at most 2x", b.Whole() && ratio <= wantBeside}}
}

func (b *Beside) table() string {
	out := newTable(fmt.Sprintf("%s webhooks/s and %s GET/s due", count(float64(b.PerSecond)), count(float64(b.Gets))), "p50", "p99", "max")
	row := func(what string, of func(func(stats.Latency) float64) stats.Spread) {
		out.row(what,
			spread(of(func(l stats.Latency) float64 { return nanoseconds(l.P50) }), length),
			spread(of(func(l stats.Latency) float64 { return nanoseconds(l.P99) }), length),
			spread(of(func(l stats.Latency) float64 { return nanoseconds(l.Max) }), length))
	}
	row("GET one state", b.alone)
	took := stats.Of(b.Runs, func(r load.Besides) float64 { return nanoseconds(r.Rebuild) })
	row("GET one state, during a rebuild of "+spread(took, length), b.during)
	row("webhook to 200", func(figure func(stats.Latency) float64) stats.Spread {
		return stats.Of(b.Runs, func(r load.Besides) float64 { return figure(r.Alone.Webhooks.Latency) })
	})
	row("webhook to 200, during the rebuild", func(figure func(stats.Latency) float64) stats.Spread {
		return stats.Of(b.Runs, func(r load.Besides) float64 { return figure(r.During.Webhooks.Latency) })
	})
	return out.String()
}
