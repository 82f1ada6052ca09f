package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/tidemark-dev/tidemark/api"
	"github.com/tidemark-dev/tidemark/projections/generations"
	"github.com/tidemark-dev/tidemark/projections/rebuild"
)

const (
	// plainEvery is how often progress is told where no terminal can keep a line up to date.
	plainEvery = 10 * time.Second
	// plainAfter is how long nothing is told there: most rebuilds are through by then.
	plainAfter = 2 * time.Second
)

// rebuildMeter tells on stderr how far a rebuild is: on a terminal in one line that is
// kept up to date, elsewhere in plain lines, few of them.
type rebuildMeter struct {
	a        *app
	terminal bool
	shown    bool // a line stands on the terminal
	step     string
	began    time.Time
	told     time.Time
}

func newRebuildMeter(a *app) *rebuildMeter {
	return &rebuildMeter{a: a, terminal: isTerminal(a.stderr), began: a.now()}
}

// words of the parts of a rebuild.
var phaseWords = map[rebuild.Phase]string{
	rebuild.Scan: "reading the log", rebuild.Fold: "folding timelines", rebuild.Check: "accounting for every event",
}

func stepOf(j *api.Rebuild) string {
	switch {
	case j.Paused:
		return "paused"
	case j.State == generations.Building && j.Progress != nil && phaseWords[j.Progress.Phase] != "":
		return phaseWords[j.Progress.Phase]
	case j.State == generations.Building:
		return "beginning"
	case j.State == generations.Comparing:
		return "comparing"
	case j.State == generations.Promoting:
		return "taking over"
	case j.State == generations.Reported:
		return "done, and changed nothing"
	case j.State == generations.Review:
		return "waiting for review"
	}
	return string(j.State)
}

func (m *rebuildMeter) show(j *api.Rebuild) {
	if j.State.Ended() || j.State == generations.Review {
		return
	}
	now, step := m.a.now(), stepOf(j)
	if m.terminal {
		m.shown = true
		fmt.Fprintf(m.a.stderr, "\r\x1b[K%s", m.line(j, step, true))
		return
	}
	if now.Sub(m.began) < plainAfter {
		return
	}
	if step != m.step || now.Sub(m.told) >= plainEvery {
		m.step, m.told = step, now
		fmt.Fprintln(m.a.stderr, m.line(j, step, false))
	}
}

// line is how far a rebuild is, in words.
func (m *rebuildMeter) line(j *api.Rebuild, step string, bar bool) string {
	parts := []string{fmt.Sprintf("%s: %s", j.ID, step)}
	p := j.Progress
	if p == nil || j.State != generations.Building {
		return parts[0]
	}
	if p.Total > 0 {
		share := min(1, float64(p.Done)/float64(p.Total))
		if bar {
			const width = 20
			full := int(share * width)
			parts = append(parts, "["+strings.Repeat("#", full)+strings.Repeat(".", width-full)+"]")
		}
		unit := "positions"
		if p.Phase == rebuild.Fold {
			unit = "events"
		}
		parts = append(parts, fmt.Sprintf("%.0f%% of %s %s", 100*share, thousands(p.Total), unit))
	}
	if p.Rate > 0 {
		parts = append(parts, thousands(uint64(p.Rate))+" events/s")
	}
	if j.EtaSeconds != nil && !j.Paused {
		parts = append(parts, "about "+span(time.Duration(*j.EtaSeconds+1)*time.Second)+" of this part left")
	}
	if p.Waiting != "" {
		parts = append(parts, "waiting: "+inert(p.Waiting))
	}
	return strings.Join(parts, "  ")
}

// end takes the line off the terminal.
func (m *rebuildMeter) end() {
	if m.shown {
		fmt.Fprint(m.a.stderr, "\r\x1b[K")
	}
}

// thousands writes a number with commas.
func thousands(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
