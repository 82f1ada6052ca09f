package report

import (
	"github.com/tidemark-dev/tidemark/bench/stats"
)

var partNames = map[string]string{
	BareJetStream: "bare JetStream, SyncAlways, one message an event",
	BarePebble:    "bare Pebble, one synced Set an event",
}

// limits says how far Tidemark is from what the machine and its parts allow.
func (f Figures) limits() string {
	if f.Throughput == nil {
		return ""
	}
	out := newTable("what", "limit", "the limit's figure", "Tidemark", "of the limit")
	rows := 0
	for _, senders := range f.Throughput.senders() {
		mine := f.Throughput.rate(contender{side: Tidemark}, senders).Median
		if mine == 0 {
			continue
		}
		what := "webhooks/s, " + many(senders)
		row := func(limit string, figure float64) {
			if figure > 0 {
				out.row(what, limit, count(figure), count(mine), times(mine/figure))
				rows++
			}
		}
		if disk := over(f.Throughput.Fdatasync, p50Of).Median; disk > 0 {
			row("one fdatasync of 1 kB after the other", 1e9/disk)
		}
		row("HTTP and HMAC alone: the handler that stores nothing", f.Throughput.rate(contender{side: NoStore}, senders).Median)
		row(partNames[BareJetStream], f.bare(BareJetStream, senders).Median)
		row(partNames[BarePebble], f.bare(BarePebble, senders).Median)
	}
	if floor, mine := f.Throughput.loneFloor(); floor > 0 && mine > 0 {
		out.row("one sender, p50", "the same without a store, plus one fdatasync", length(floor), length(mine), times(mine/floor))
		rows++
	}
	if trip := f.Throughput.loneP50(contender{side: NoStore}); trip > 0 && f.Large != nil && len(f.Large.Idle) > 0 {
		mine := over(f.Large.Idle, p50Of).Median
		out.row("GET one state, p50", "an HTTP exchange alone: the handler that stores nothing", length(trip), length(mine), times(mine/trip))
		rows++
	}
	if rows == 0 {
		return ""
	}
	return out.String()
}

// bare returns the rate of a bare part with so many writers.
func (f Figures) bare(part string, writers int) stats.Spread {
	if f.Ceilings == nil {
		return stats.Spread{}
	}
	var rates []float64
	for _, r := range f.Ceilings.Runs {
		if r.Part == part && r.Writers == writers {
			rates = append(rates, r.PerSecond)
		}
	}
	return stats.Over(rates)
}

// loneFloor returns what one sender's answer cannot be faster than, a round
// trip that stores nothing and one fdatasync, and what it is, in nanoseconds.
func (t *Throughput) loneFloor() (floor, mine float64) {
	trip, disk := t.loneP50(contender{side: NoStore}), over(t.Fdatasync, p50Of).Median
	if trip == 0 || disk == 0 {
		return 0, 0
	}
	return trip + disk, t.loneP50(contender{side: Tidemark})
}

// loneP50 is a side's median answer to one sender, in nanoseconds.
func (t *Throughput) loneP50(c contender) float64 {
	return stats.Of(t.of(c, 1), func(r ThroughputRun) float64 { return nanoseconds(r.Result.Latency.P50) }).Median
}
