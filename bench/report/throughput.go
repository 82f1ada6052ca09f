package report

import (
	"fmt"
	"slices"

	"github.com/tidemark-dev/tidemark/bench/stats"
)

// contender is a side with a size of its connection pool.
type contender struct {
	side string
	pool int
}

func (c contender) String() string {
	if c.pool == 0 || c.side == PostgresGroup {
		return c.side
	}
	return fmt.Sprintf("%s, pool of %d", c.side, c.pool)
}

// contenders lists the sides in the order in which they are printed.
func (t *Throughput) contenders() []contender {
	var out []contender
	for _, side := range []string{Tidemark, PostgresStock, PostgresTuned, PostgresGroup, NoStore} {
		first := len(out)
		for _, r := range t.Runs {
			if c := (contender{r.Side, r.Pool}); r.Side == side && !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
		slices.SortFunc(out[first:], func(a, b contender) int { return a.pool - b.pool })
	}
	return out
}

// senders lists the numbers of senders in rising order.
func (t *Throughput) senders() []int {
	var out []int
	for _, r := range t.Runs {
		if !slices.Contains(out, r.Senders) {
			out = append(out, r.Senders)
		}
	}
	slices.Sort(out)
	return out
}

// of returns the runs of one side with so many senders.
func (t *Throughput) of(c contender, senders int) []ThroughputRun {
	var out []ThroughputRun
	for _, r := range t.Runs {
		if r.Side == c.side && r.Pool == c.pool && r.Senders == senders {
			out = append(out, r)
		}
	}
	return out
}

func (t *Throughput) rate(c contender, senders int) stats.Spread {
	return stats.Of(t.of(c, senders), func(r ThroughputRun) float64 { return r.Result.PerSecond })
}

// best returns the PostgreSQL that inserts each webhook and did best with so
// many senders, by its median: with a pool of that size, or for 0 with any.
func (t *Throughput) best(senders, pool int) (contender, stats.Spread) {
	var (
		found contender
		rate  stats.Spread
	)
	for _, c := range t.contenders() {
		if c.side != PostgresStock && c.side != PostgresTuned || pool > 0 && c.pool != pool {
			continue
		}
		if r := t.rate(c, senders); r.Median > rate.Median {
			found, rate = c, r
		}
	}
	return found, rate
}

// table prints every side with every number of senders.
func (t *Throughput) table() string {
	out := newTable("senders", "side", "acknowledged/s", "p50", "p99", "server CPU for each", "behind at the end, caught up in")
	for _, senders := range t.senders() {
		for _, c := range t.contenders() {
			runs := t.of(c, senders)
			if len(runs) == 0 {
				continue
			}
			out.row(fmt.Sprint(senders), c.String(), spread(t.rate(c, senders), count),
				spread(stats.Of(runs, func(r ThroughputRun) float64 { return nanoseconds(r.Result.Latency.P50) }), length),
				spread(stats.Of(runs, func(r ThroughputRun) float64 { return nanoseconds(r.Result.Latency.P99) }), length),
				spread(stats.Of(runs, func(r ThroughputRun) float64 { return nanoseconds(r.ServerCPU) }), length),
				behind(c, runs))
		}
	}
	return out.String()
}

func behind(c contender, runs []ThroughputRun) string {
	if c.side != Tidemark {
		return "projects nothing"
	}
	return fmt.Sprintf("%s groups, %s",
		spread(stats.Of(runs, func(r ThroughputRun) float64 { return float64(r.Behind) }), count),
		spread(stats.Of(runs, func(r ThroughputRun) float64 { return nanoseconds(r.CatchUp) }), length))
}
