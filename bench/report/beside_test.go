package report

import (
	"strings"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/bench/load"
	"github.com/tidemark-dev/tidemark/bench/stats"
)

func TestBesideIsJudgedAgainstTheSameServer(t *testing.T) {
	run := func(alone, during time.Duration, changed, backward int) load.Besides {
		return load.Besides{
			Alone:   load.Phase{Gets: stats.Latency{P99: alone}},
			During:  load.Phase{Gets: stats.Latency{P99: during}, Backward: backward},
			Rebuild: 5 * time.Second, Changed: changed,
		}
	}
	for _, c := range []struct {
		name    string
		runs    []load.Besides
		reached bool
	}{
		{"twice", []load.Besides{run(1e6, 2e6, 0, 0)}, true},
		{"more", []load.Besides{run(1e6, 2.1e6, 0, 0)}, false},
		{"the median counts", []load.Besides{run(1e6, 1e6, 0, 0), run(1e6, 1.5e6, 0, 0), run(1e6, 9e6, 0, 0)}, true},
		{"a state that went back", []load.Besides{run(1e6, 1e6, 0, 1)}, false},
		{"a difference", []load.Besides{run(1e6, 1e6, 0, 0), run(1e6, 1e6, 1, 0)}, false},
	} {
		b := Beside{Connections: 100_000, Events: 1_000_000, PerSecond: 1_000, Gets: 500, Runs: c.runs}
		got := find(t, b.targets(), "at most 2x", "")
		if got.reached != c.reached || !strings.Contains(got.what, "100,000 connections") || b.Whole() == strings.Contains(got.ours, "differ") {
			t.Errorf("%s: %+v", c.name, got)
		}
		if table := b.table(); !strings.Contains(table, "during a rebuild of 5.00 s") {
			t.Errorf("%s: %s", c.name, table)
		}
	}
}
