package report

import (
	"fmt"
	"time"

	"github.com/tidemark-dev/tidemark/bench/launch"
	"github.com/tidemark-dev/tidemark/bench/load"
	"github.com/tidemark-dev/tidemark/bench/stats"
)

// Figures is everything that was measured and kept; what was not is nil.
type Figures struct {
	Throughput *Throughput
	Visible    *Visible
	Large      *Large
	Beside     *Beside
	Late       *Late
	Ceilings   *Ceilings
	// Rebuilds are of histories of rising length.
	Rebuilds []*Rebuild
	Past     *Past
	Mapping  *Mapping
}

// Load reads all measurements in a directory.
func Load(dir string) (Figures, error) {
	var f Figures
	for _, read := range []func() error{
		func() error { return readInto(dir, "throughput", &f.Throughput) },
		func() error { return readInto(dir, "visible", &f.Visible) },
		func() error { return readInto(dir, "large", &f.Large) },
		func() error { return readInto(dir, "beside", &f.Beside) },
		func() error { return readInto(dir, "late", &f.Late) },
		func() error { return readInto(dir, "ceilings", &f.Ceilings) },
		func() error { return readInto(dir, "past", &f.Past) },
		func() error { return readInto(dir, "mapping", &f.Mapping) },
		func() (err error) { f.Rebuilds, err = loadRebuilds(dir); return err },
	} {
		if err := read(); err != nil {
			return f, err
		}
	}
	return f, nil
}

func readInto[M any](dir, name string, into **M) error {
	measurement := new(M)
	found, err := Read(dir, name, measurement)
	if found {
		*into = measurement
	}
	return err
}

// Tables returns the tables by the name of their marker.
func (f Figures) Tables() map[string]string {
	out := map[string]string{}
	if targets := f.targets(); len(targets) > 0 {
		out["targets"] = targetTable(targets)
	}
	if machines := f.machines(); machines != "" {
		out["machine"] = machines
	}
	if f.Throughput != nil {
		out["throughput"] = f.Throughput.table()
	}
	if f.Visible != nil {
		out["visible"] = f.Visible.table()
	}
	if f.Large != nil {
		out["large"] = f.Large.table()
	}
	if f.Beside != nil {
		out["beside"] = f.Beside.table()
	}
	if f.Late != nil {
		out["late"] = f.Late.table()
	}
	if limits := f.limits(); limits != "" {
		out["limits"] = limits
	}
	if f.Ceilings != nil {
		out["ceilings"] = f.ceilingTable()
	}
	if len(f.Rebuilds) > 0 {
		out["rebuild"] = rebuildTable(f.Rebuilds)
		out["rebuild-phases"] = phaseTable(f.Rebuilds)
	}
	if f.Past != nil {
		out["past"] = f.Past.table()
	}
	if f.Mapping != nil {
		out["mapping"] = f.Mapping.table()
	}
	return out
}

// machines says what was measured when and on what, one row for each.
func (f Figures) machines() string {
	out := newTable("measured", "at (UTC)", "commit", "machine", "software")
	rows := 0
	row := func(name string, m Measured) {
		c := m.Machine
		out.row(name, m.At.UTC().Format("2006-01-02 15:04"), c.Commit,
			fmt.Sprintf("%s, %d cores, %.0f GiB, %s", c.CPU, c.Cores, float64(c.RAM)/(1<<30), c.Filesystem),
			fmt.Sprintf("Linux %s, %s, PostgreSQL %s", c.Kernel, c.Go, c.PostgreSQL))
		rows++
	}
	if f.Throughput != nil {
		row("throughput", f.Throughput.Measured)
	}
	if f.Visible != nil {
		row("visibility", f.Visible.Measured)
	}
	if f.Large != nil {
		row("large server", f.Large.Measured)
	}
	if f.Beside != nil {
		row("beside a rebuild", f.Beside.Measured)
	}
	if f.Late != nil {
		row("late events", f.Late.Measured)
	}
	if f.Ceilings != nil {
		row("ceilings", f.Ceilings.Measured)
	}
	for _, r := range f.Rebuilds {
		row(fmt.Sprintf("rebuild, %s events", count(float64(r.Events))), r.Measured)
	}
	if f.Past != nil {
		row("the past", f.Past.Measured)
	}
	if f.Mapping != nil {
		row("mapping", f.Mapping.Measured)
	}
	if rows == 0 {
		return ""
	}
	return out.String()
}

func (v *Visible) lag(figure func(stats.Latency) time.Duration) stats.Spread {
	return stats.Of(v.Runs, func(r load.Visibility) float64 { return nanoseconds(figure(r.Lag)) })
}

func (v *Visible) table() string {
	out := newTable("", "p50", "p99", "max")
	rate := stats.Of(v.Runs, func(r load.Visibility) float64 { return r.Background.PerSecond + float64(r.Probes) })
	out.row(fmt.Sprintf("from 200 to visible, %s webhooks/s due, %s acknowledged", count(float64(v.PerSecond)), spread(rate, count)),
		spread(v.lag(p50Of), length), spread(v.lag(p99Of), length), spread(v.lag(maxOf), length))
	answer := func(figure func(stats.Latency) time.Duration) string {
		return spread(stats.Of(v.Runs, func(r load.Visibility) float64 { return nanoseconds(figure(r.Background.Latency)) }), length)
	}
	out.row("from due to 200, the same webhooks", answer(p50Of), answer(p99Of), answer(maxOf))
	return out.String()
}

func p50Of(l stats.Latency) time.Duration { return l.P50 }
func p99Of(l stats.Latency) time.Duration { return l.P99 }
func maxOf(l stats.Latency) time.Duration { return l.Max }

func (l *Large) resident() stats.Spread {
	return stats.Of(l.Memory, func(m launch.Memory) float64 { return float64(m.Resident) })
}

func over(runs []stats.Latency, figure func(stats.Latency) time.Duration) stats.Spread {
	return stats.Of(runs, func(r stats.Latency) float64 { return nanoseconds(figure(r)) })
}

func (l *Large) table() string {
	out := newTable(fmt.Sprintf("%s events about %s connections", count(float64(l.Events)), count(float64(l.Connections))), "")
	out.row("taken in by 256 senders", fmt.Sprintf("%s/s, projected %s after the last answer", count(l.Fill.PerSecond), length(nanoseconds(l.CatchUp))))
	out.row("on disk", megabytes(float64(l.Bytes)))
	out.row("GET one state, p50 / p99, nothing else going on", spread(over(l.Idle, p50Of), length)+" / "+spread(over(l.Idle, p99Of), length))
	if len(l.IdleServer) > 0 {
		bound := stats.Over(l.IdleServer)
		out.row("the same by the server's own histogram, p99", "at most "+length(bound.Max*1e9))
	}
	out.row("GET one state, p50 / p99, beside 1,000 webhooks/s", spread(over(l.Loaded, p50Of), length)+" / "+spread(over(l.Loaded, p99Of), length))
	out.row("resident, 64 senders at work, the most", spread(l.resident(), megabytes))
	out.row("of it anonymous", spread(stats.Of(l.Memory, func(m launch.Memory) float64 { return float64(m.Anonymous) }), megabytes))
	out.row("start until it listens", spread(stats.Of(l.Start, nanoseconds), length))
	out.row("the same after a kill -9", spread(stats.Of(l.Crashed, nanoseconds), length))
	return out.String()
}

func (l *Late) table() string {
	out := newTable("events in the history", "they come", "late event, p50", "p99", "in order, p50", "p99")
	for _, pause := range l.pauses() {
		for _, history := range l.histories() {
			runs := l.of(history, pause)
			figure := func(pick func(LateRun) time.Duration) string {
				return spread(stats.Of(runs, func(r LateRun) float64 { return nanoseconds(pick(r)) }), length)
			}
			out.row(count(float64(history)), spaced(pause),
				figure(func(r LateRun) time.Duration { return r.Late.P50 }), figure(func(r LateRun) time.Duration { return r.Late.P99 }),
				figure(func(r LateRun) time.Duration { return r.InOrder.P50 }), figure(func(r LateRun) time.Duration { return r.InOrder.P99 }))
		}
	}
	return out.String()
}

func (f Figures) ceilingTable() string {
	out := newTable("part alone", "writers", "a second", "p50")
	if f.Throughput != nil {
		fsync := f.Throughput.Fdatasync
		out.row("append 1 kB and fdatasync", "1",
			spread(stats.Of(fsync, func(l stats.Latency) float64 { return 1e9 / max(nanoseconds(l.P50), 1) }), count),
			spread(over(fsync, p50Of), length))
	}
	type key struct {
		part    string
		writers int
	}
	done := map[key]bool{}
	for _, first := range f.Ceilings.Runs {
		k := key{first.Part, first.Writers}
		if done[k] {
			continue
		}
		done[k] = true
		var runs []Ceiling
		for _, r := range f.Ceilings.Runs {
			if (key{r.Part, r.Writers}) == k {
				runs = append(runs, r)
			}
		}
		out.row(partNames[k.part], fmt.Sprint(k.writers),
			spread(stats.Of(runs, func(c Ceiling) float64 { return c.PerSecond }), count),
			spread(stats.Of(runs, func(c Ceiling) float64 { return nanoseconds(c.Latency.P50) }), length))
	}
	return out.String()
}
