package report

import (
	"fmt"
	"slices"

	"github.com/tidemark-dev/tidemark/bench/mapping"
	"github.com/tidemark-dev/tidemark/bench/stats"
)

// Mapping is what reading an event costs, by every fixture of every definition.
type Mapping struct {
	Measured
	Runs [][]mapping.Fixture `json:"runs"`
}

// mapped is one fixture with what every run says of it.
type mapped struct {
	mapping.Fixture
	cost stats.Spread // nanoseconds
}

// Dearest returns what the dearest fixture of a run cost, in nanoseconds.
func (m *Mapping) Dearest(run int) float64 {
	dearest := 0.0
	for _, f := range m.Runs[run] {
		dearest = max(dearest, f.PerEvent)
	}
	return dearest
}

// fixtures gathers the runs by definition, each definition's fixtures from the cheapest to the dearest.
func (m *Mapping) fixtures() (definitions []string, by map[string][]mapped) {
	by = map[string][]mapped{}
	costs := map[string][]float64{}
	key := func(f mapping.Fixture) string { return f.Definition + "\x00" + f.Name }
	for _, run := range m.Runs {
		for _, f := range run {
			costs[key(f)] = append(costs[key(f)], f.PerEvent)
		}
	}
	for _, f := range slices.Concat(m.Runs...) {
		if costs[key(f)] == nil {
			continue // a further run
		}
		by[f.Definition] = append(by[f.Definition], mapped{f, stats.Over(costs[key(f)])})
		costs[key(f)] = nil
	}
	for name, list := range by {
		definitions = append(definitions, name)
		slices.SortStableFunc(list, func(a, b mapped) int {
			switch {
			case a.cost.Median < b.cost.Median:
				return -1
			case a.cost.Median > b.cost.Median:
				return 1
			}
			return 0
		})
	}
	slices.Sort(definitions)
	return definitions, by
}

// targets judges makini's dearest fixture, and the dearest of all.
func (m *Mapping) targets() []target {
	definitions, by := m.fixtures()
	var out []target
	var worst mapped
	for _, name := range definitions {
		list := by[name]
		dearest := list[len(list)-1]
		if name == "makini" {
			out = append(out, target{"mapping one event, makini, the dearest fixture", spread(dearest.cost, length), "–", "at most 5 µs", dearest.cost.Median <= 5e3})
		}
		if dearest.cost.Median > worst.cost.Median {
			worst = dearest
		}
	}
	if worst.Definition != "" {
		what := fmt.Sprintf("mapping one event, the dearest fixture of all (%s, %s)", worst.Definition, worst.Name)
		out = append(out, target{what, spread(worst.cost, length), "–", "at most 10 µs", worst.cost.Median <= 10e3})
	}
	return out
}

func (m *Mapping) table() string {
	out := newTable("definition", "fixtures", "the median one", "the dearest", "which, of how many bytes")
	definitions, by := m.fixtures()
	for _, name := range definitions {
		list := by[name]
		middle, dearest := list[(len(list)-1)/2], list[len(list)-1]
		which := fmt.Sprintf("%s, %s B", dearest.Name, count(float64(dearest.Bytes)))
		if dearest.Quarantined {
			which += ", quarantined"
		}
		out.row(name, count(float64(len(list))), spread(middle.cost, length), spread(dearest.cost, length), which)
	}
	return out.String()
}
