package report

import (
	"strings"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/bench/history"
	"github.com/tidemark-dev/tidemark/bench/past"
	"github.com/tidemark-dev/tidemark/bench/pgfold"
	"github.com/tidemark-dev/tidemark/bench/rebuilding"
	"github.com/tidemark-dev/tidemark/bench/stats"
)

const events = 1_000_000

var (
	alone   = History{Connections: 10, Group: 1, Made: history.Made{Events: events, States: "right"}}
	grouped = History{Connections: 10, Group: 32, Made: history.Made{Events: events, States: "right"}}
)

// at is one run at a rate, right unless it is changed.
func at(h History, what string, rate float64) RebuildRun {
	took := time.Duration(events / rate * 1e9)
	return RebuildRun{History: h, What: what, Result: rebuilding.Result{Events: events, Took: took, States: "right", Equal: true}}
}

// verified is a verify whose digest takes a tenth of its rebuild.
func verified(r RebuildRun) RebuildRun {
	r.Result.Digests = r.Result.Took / 10
	return r
}

func folded(way string, rate float64) SQLRun {
	return SQLRun{History: grouped, Fold: pgfold.Fold{Way: way, Took: time.Duration(events / rate * 1e9), States: "right"}}
}

func rebuilt() *Rebuild {
	return &Rebuild{
		Events: events, Histories: []History{alone, grouped},
		Runs: []RebuildRun{
			at(alone, rebuilding.Bare, 200_000), at(alone, rebuilding.BareTCP, 300_000), at(alone, rebuilding.Rebuild, 190_000), verified(at(alone, rebuilding.Verify, 180_000)),
			at(grouped, rebuilding.Bare, 2_000_000), at(grouped, rebuilding.Rebuild, 510_000), verified(at(grouped, rebuilding.Verify, 460_000)), at(grouped, rebuilding.Refold, 900_000),
		},
		SQL: []SQLRun{folded(pgfold.Set, 400_000), folded(pgfold.Rows, 100_000)},
	}
}

func judged(t *testing.T, r *Rebuild) map[string]target {
	t.Helper()
	out := map[string]target{}
	for _, found := range r.targets() {
		what, _, _ := strings.Cut(found.what, ",")
		group := "alone"
		if strings.Contains(found.what, "32 a message") {
			group = "grouped"
		}
		out[what+" "+group+" "+found.reach] = found
	}
	if len(out) != 7 {
		t.Errorf("%d targets, want 7: %v", len(out), out)
	}
	return out
}

func TestRebuildIsJudgedAgainstTheBestOfEach(t *testing.T) {
	got := judged(t, rebuilt())
	for what, reached := range map[string]bool{
		"rebuild alone at least 0.60x":     true, // 190/300
		"rebuild alone ahead":              false,
		"rebuild grouped at least 500,000": true,
		"rebuild grouped ahead":            true,
		"refold grouped at least 500,000":  true,
		"verify alone at most 1.20x":       true,
		"verify grouped at most 1.20x":     false, // 1.1 * 510/460
	} {
		if found, ok := got[what]; !ok || found.reached != reached {
			t.Errorf("%s: reached is %v of %+v", what, found.reached, found)
		}
	}
	if against := got["rebuild alone at least 0.60x"].against; !strings.Contains(against, "TCP") || !strings.Contains(against, "0.63x") {
		t.Errorf("against %q", against)
	}
}

func TestAMissAndAWrongStateAreNoSuccess(t *testing.T) {
	r := rebuilt()
	r.Runs[2] = at(alone, rebuilding.Rebuild, 179_000)
	r.Runs[5].Result.States = "other"
	r.Runs[7].Result.Equal = false
	r.SQL[0].Fold.States = "other"
	got := judged(t, r)
	for _, what := range []string{"rebuild alone at least 0.60x", "rebuild grouped at least 500,000", "rebuild grouped ahead", "refold grouped at least 500,000"} {
		if got[what].reached {
			t.Errorf("%s is reached: %+v", what, got[what])
		}
	}
	if against := got["rebuild alone ahead"]; !against.reached || !strings.Contains(against.against, rebuildNames[pgfold.Rows]) {
		t.Errorf("judged against a side that is wrong: %+v", against)
	}
	if table := rebuildTable([]*Rebuild{r}); strings.Count(table, "**wrong**") != 3 {
		t.Errorf("the table hides a wrong side:\n%s", table)
	}
}

func TestRebuildAndPastTablesAreWhole(t *testing.T) {
	dir := t.TempDir()
	if err := Save(dir, RebuildFiles+"1000000", rebuilt()); err != nil {
		t.Fatal(err)
	}
	if err := Save(dir, RebuildFiles+"500", Rebuild{Events: 500}); err != nil {
		t.Fatal(err)
	}
	asked := past.Result{past.ValidAt: stats.Latency{P99: 100_000}}
	if err := Save(dir, "past", Past{Runs: []PastRun{{1_000, asked}, {1_000_000, past.Result{past.ValidAt: stats.Latency{P99: 301_000}}}}}); err != nil {
		t.Fatal(err)
	}
	f, err := Load(dir)
	if err != nil || len(f.Rebuilds) != 2 || f.Rebuilds[0].Events != 500 || f.Past == nil {
		t.Fatalf("%+v, %v", f, err)
	}
	tables := f.Tables()
	for _, name := range []string{"targets", "machine", "rebuild", "rebuild-phases", "past"} {
		lines := strings.Split(strings.TrimSpace(tables[name]), "\n")
		for _, line := range lines {
			if len(lines) < 3 || strings.Count(line, "|") != strings.Count(lines[0], "|") {
				t.Errorf("table %s: %q", name, line)
			}
		}
	}
	if got := f.Past.targets(); len(got) != 2 || got[0].reached || !got[1].reached {
		t.Errorf("%+v", got)
	}
}

func TestLateIsComparedWithInOrder(t *testing.T) {
	l := &Late{Runs: []LateRun{
		{History: 1_000, Late: stats.Latency{P99: 300}, InOrder: stats.Latency{P99: 10}},
		{History: 1_000_000, Late: stats.Latency{P99: 501}, InOrder: stats.Latency{P99: 100}},
	}}
	if got := l.targets(); len(got) != 2 || !got[0].reached || got[1].reached || got[1].reach != "at most 5x" {
		t.Errorf("%+v", got)
	}
	// Those with a pause are judged by themselves, and come first.
	l.Runs = append(l.Runs,
		LateRun{History: 1_000, Pause: time.Millisecond, Late: stats.Latency{P99: 100}, InOrder: stats.Latency{P99: 10}},
		LateRun{History: 1_000_000, Pause: time.Millisecond, Late: stats.Latency{P99: 301}, InOrder: stats.Latency{P99: 70}})
	if got := l.targets(); len(got) != 4 || got[0].reached || !got[1].reached || !strings.Contains(got[0].what, "1ms apart") || !got[2].reached {
		t.Errorf("%+v", got)
	}
}
