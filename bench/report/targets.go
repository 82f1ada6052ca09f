package report

import (
	"fmt"
	"slices"
	"time"

	"github.com/tidemark-dev/tidemark/bench/stats"
)

// target is a promise with what was measured of it.
type target struct {
	what, ours, against, reach string
	reached                    bool
}

func targetTable(targets []target) string {
	out := newTable("what", "Tidemark", "against", "to reach", "")
	for _, t := range targets {
		out.row(t.what, t.ours, t.against, t.reach, verdict(t.reached))
	}
	return out.String()
}

// targets judges everything that was measured.
func (f Figures) targets() []target {
	var out []target
	if f.Throughput != nil {
		out = append(out, f.Throughput.targets()...)
	}
	if f.Visible != nil && len(f.Visible.Runs) > 0 {
		lag := f.Visible.lag(p99Of)
		out = append(out, target{"from 200 to visible in GET, 1,000 webhooks/s, p99", spread(lag, length), "–", "under 100 ms", lag.Median < 100e6})
	}
	if f.Late != nil {
		out = append(out, f.Late.targets()...)
	}
	if f.Large != nil {
		out = append(out, f.Large.targets()...)
	}
	for _, r := range f.Rebuilds {
		out = append(out, r.targets()...)
	}
	if f.Beside != nil {
		out = append(out, f.Beside.targets()...)
	}
	if f.Past != nil {
		out = append(out, f.Past.targets()...)
	}
	if f.Mapping != nil {
		out = append(out, f.Mapping.targets()...)
	}
	return out
}

func (t *Throughput) targets() []target {
	var out []target
	ours := contender{side: Tidemark}
	for _, senders := range t.senders() {
		mine := t.rate(ours, senders)
		if mine.Runs == 0 {
			continue
		}
		if senders == 1 {
			out = append(out, t.oneSender(ours))
			continue
		}
		what := "acknowledged webhooks/s, " + many(senders)
		against := func(who string, theirs stats.Spread, reach string, least float64) {
			if theirs.Median > 0 {
				ratio := mine.Median / theirs.Median
				out = append(out, target{what, spread(mine, count), who + ": " + spread(theirs, count) + "; " + times(ratio), reach, ratio >= least})
			}
		}
		if t.DefaultPool > 0 {
			who, theirs := t.best(senders, t.DefaultPool)
			against(who.String()+" (pgx's default)", theirs, "at least 3x", 3)
		}
		who, theirs := t.best(senders, 0)
		against(who.String()+" (the fastest)", theirs, "at least 3x", 3)
		against(NoStore, t.rate(contender{side: NoStore}, senders), "at least 0.33x", 1.0/3)
	}
	return out
}

// oneSender compares the answer to a lone sender with the disk.
func (t *Throughput) oneSender(ours contender) target {
	mine := stats.Of(t.of(ours, 1), func(r ThroughputRun) float64 { return nanoseconds(r.Result.Latency.P50) })
	disk := over(t.Fdatasync, p50Of)
	ratio := mine.Median / max(disk.Median, 1)
	return target{"one sender, p50", spread(mine, length), "fdatasync of 1 kB: " + spread(disk, length) + "; " + times(ratio), "at most 3x", ratio <= 3}
}

func (l *Large) targets() []target {
	var out []target
	about := fmt.Sprintf("%s connections, %s events", count(float64(l.Connections)), count(float64(l.Events)))
	if len(l.Idle) > 0 {
		// The client's time holds the server's and more.
		asked := over(l.Idle, p99Of)
		out = append(out, target{"GET one state, " + about + ", p99 as the client sees it", spread(asked, length), "–", "under 1 ms", asked.Median < 1e6})
	}
	if len(l.Memory) > 0 {
		resident := l.resident()
		out = append(out, target{"resident memory, " + about + ", under load", spread(resident, megabytes), "–", "under 400 MB", resident.Max < 400e6})
	}
	if len(l.Start) > 0 {
		start := stats.Of(l.Start, nanoseconds)
		out = append(out, target{"start, " + about, spread(start, length), "–", "under 2 s", start.Median < 2e9})
	}
	return out
}

// histories lists the lengths in rising order.
func (l *Late) histories() []int {
	var out []int
	for _, r := range l.Runs {
		if !slices.Contains(out, r.History) {
			out = append(out, r.History)
		}
	}
	slices.Sort(out)
	return out
}

func (l *Late) of(history int, pause time.Duration) []LateRun {
	var out []LateRun
	for _, r := range l.Runs {
		if r.History == history && r.Pause == pause {
			out = append(out, r)
		}
	}
	return out
}

// pauses returns the pauses that were measured, the longest first.
func (l *Late) pauses() []time.Duration {
	var out []time.Duration
	for _, r := range l.Runs {
		if !slices.Contains(out, r.Pause) {
			out = append(out, r.Pause)
		}
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out
}

// targets compares the longest history with the shortest, and late with in order in it.
func (l *Late) targets() []target {
	histories := l.histories()
	if len(histories) < 2 {
		return nil
	}
	short, long := histories[0], histories[len(histories)-1]
	var out []target
	for _, pause := range l.pauses() {
		figure := func(history int) stats.Spread {
			return stats.Of(l.of(history, pause), func(r LateRun) float64 { return nanoseconds(r.Late.P99) })
		}
		mine, base := figure(long), figure(short)
		inOrder := stats.Of(l.of(long, pause), func(r LateRun) float64 { return nanoseconds(r.InOrder.P99) })
		ratio, toInOrder := mine.Median/max(base.Median, 1), mine.Median/max(inOrder.Median, 1)
		what := fmt.Sprintf("applying one late event, history of %s, %s, p99", count(float64(long)), spaced(pause))
		out = append(out,
			target{what, spread(mine, length), fmt.Sprintf("history of %s: %s; %s", count(float64(short)), spread(base, length), times(ratio)), "at most 3x", ratio <= 3},
			target{what, spread(mine, length), fmt.Sprintf("in order, the same history: %s; %s", spread(inOrder, length), times(toInOrder)), "at most 5x", toInOrder <= 5})
	}
	return out
}

// spaced says how events follow each other.
func spaced(pause time.Duration) string {
	if pause == 0 {
		return "one right after the other"
	}
	return fmt.Sprintf("%v apart", pause)
}
