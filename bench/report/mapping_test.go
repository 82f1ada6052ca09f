package report

import (
	"strings"
	"testing"

	"github.com/tidemark-dev/tidemark/bench/mapping"
)

func TestMappingIsJudgedByTheDearest(t *testing.T) {
	fixture := func(definition, name string, ns float64) mapping.Fixture {
		return mapping.Fixture{Definition: definition, Name: name, Bytes: 600, PerEvent: ns}
	}
	for _, c := range []struct {
		makini, other float64
		ours, all     bool
	}{{5000, 10_000, true, true}, {5001, 10_000, false, true}, {5000, 10_001, true, false}, {20_000, 1, false, false}} {
		m := Mapping{Runs: [][]mapping.Fixture{
			{fixture("makini", "failed", c.makini), fixture("makini", "ping", 1), fixture("nango", "auth", c.other)},
			{fixture("makini", "failed", c.makini+9), fixture("makini", "ping", 2), fixture("nango", "auth", c.other+9)},
			{fixture("makini", "failed", c.makini-9), fixture("makini", "ping", 3), fixture("nango", "auth", c.other-9)},
		}}
		if got := find(t, m.targets(), "at most 5 µs", ""); got.reached != c.ours {
			t.Errorf("%+v: %+v", c, got)
		}
		if got := find(t, m.targets(), "at most 10 µs", ""); got.reached != c.all {
			t.Errorf("%+v: %+v", c, got)
		}
		if table := m.table(); !strings.Contains(table, "| makini | 2 | ") || !strings.Contains(table, "| failed, 600 B |") {
			t.Errorf("the table:\n%s", table)
		}
	}
}
