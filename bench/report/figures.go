package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tidemark-dev/tidemark/bench/stats"
)

// table is a Markdown table under way.
type table struct{ text strings.Builder }

func newTable(columns ...string) *table {
	t := new(table)
	t.row(columns...)
	t.row(slices.Repeat([]string{"---"}, len(columns))...)
	return t
}

func (t *table) row(cells ...string) {
	t.text.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func (t *table) String() string { return t.text.String() }

// spread prints a median with its extremes behind it.
func spread(s stats.Spread, print func(float64) string) string {
	if s.Runs == 0 {
		return "–"
	}
	if s.Runs == 1 {
		return print(s.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", print(s.Median), print(s.Min), print(s.Max))
}

// count prints a number with its thousands apart.
func count(n float64) string {
	digits := fmt.Sprintf("%.0f", n)
	var out strings.Builder
	for i, d := range digits {
		if left := len(digits) - i; i > 0 && left%3 == 0 && d != '-' {
			out.WriteByte(',')
		}
		out.WriteRune(d)
	}
	return out.String()
}

// length prints a duration given in nanoseconds with about three digits.
func length(ns float64) string {
	unit, name := 1e3, "µs"
	switch {
	case math.IsInf(ns, 1):
		return "more than the histogram shows"
	case ns >= 1e9:
		unit, name = 1e9, "s"
	case ns >= 1e6:
		unit, name = 1e6, "ms"
	}
	value := ns / unit
	switch {
	case value >= 100:
		return fmt.Sprintf("%.0f %s", value, name)
	case value >= 10:
		return fmt.Sprintf("%.1f %s", value, name)
	}
	return fmt.Sprintf("%.2f %s", value, name)
}

// many prints how many senders there are.
func many(senders int) string {
	if senders == 1 {
		return "1 sender"
	}
	return fmt.Sprintf("%d senders", senders)
}

func megabytes(bytes float64) string { return fmt.Sprintf("%.0f MB", bytes/1e6) }

func times(ratio float64) string { return fmt.Sprintf("%.2fx", ratio) }

func nanoseconds(d time.Duration) float64 { return float64(d) }

// verdict says whether a target was reached.
func verdict(reached bool) string {
	if reached {
		return "reached"
	}
	return "**missed**"
}
