package report

import (
	"strings"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/bench/launch"
	"github.com/tidemark-dev/tidemark/bench/load"
	"github.com/tidemark-dev/tidemark/bench/stats"
)

func runs(side string, pool, senders int, rates ...float64) []ThroughputRun {
	out := make([]ThroughputRun, len(rates))
	for i, r := range rates {
		out[i] = ThroughputRun{Side: side, Pool: pool, Senders: senders, Run: i, Result: load.Result{PerSecond: r, Latency: stats.Latency{P50: 250 * time.Microsecond}}}
	}
	return out
}

func throughput(ours float64) *Throughput {
	t := &Throughput{DefaultPool: 4, Fdatasync: []stats.Latency{{P50: 100 * time.Microsecond}}}
	for _, r := range [][]ThroughputRun{
		runs(Tidemark, 0, 64, ours, ours+1, ours-1),
		runs(Tidemark, 0, 1, 3000),
		runs(PostgresStock, 4, 64, 4000),
		runs(PostgresTuned, 4, 64, 5000),
		runs(PostgresStock, 16, 64, 9000, 10000, 11000),
		runs(PostgresStock, 64, 64, 7000),
		runs(PostgresTuned, 16, 64, 8000),
		runs(PostgresGroup, 1, 64, 50000), // never the one to beat: it does what no target speaks of
		runs(NoStore, 0, 64, 90000),
	} {
		t.Runs = append(t.Runs, r...)
	}
	return t
}

// find returns the target to reach so much, and against that.
func find(t *testing.T, targets []target, reach, against string) target {
	t.Helper()
	for _, found := range targets {
		if found.reach == reach && strings.Contains(found.against, against) {
			return found
		}
	}
	t.Fatalf("no target to reach %q against %q in %+v", reach, against, targets)
	return target{}
}

func TestThroughputIsJudgedAgainstTheDefaultAndTheBestPostgres(t *testing.T) {
	for _, c := range []struct {
		ours                     float64
		byDefault, best, nothing bool
	}{{14_999, false, false, false}, {15_000, true, false, false}, {29_999, true, false, false}, {30_000, true, true, true}, {90_000, true, true, true}} {
		targets := throughput(c.ours).targets()
		if got := find(t, targets, "at least 3x", "tuned, pool of 4 (pgx's default): 5,000"); got.reached != c.byDefault {
			t.Errorf("%v: %+v", c.ours, got)
		}
		if got := find(t, targets, "at least 3x", "stock, pool of 16 (the fastest): 10,000 (9,000–11,000)"); got.reached != c.best {
			t.Errorf("%v: %+v", c.ours, got)
		}
		if got := find(t, targets, "at least 0.33x", ""); got.reached != c.nothing {
			t.Errorf("%v: %+v", c.ours, got)
		}
	}
}

func TestOneSenderIsJudgedAgainstTheDisk(t *testing.T) {
	got := find(t, throughput(1).targets(), "at most 3x", "")
	if !got.reached || !strings.Contains(got.against, "2.50x") {
		t.Errorf("%+v", got)
	}
}

func TestAMissIsPrinted(t *testing.T) {
	f := Figures{Large: &Large{Connections: 10, Events: 100, Memory: []launch.Memory{{Resident: 100e6}, {Resident: 401e6}}}}
	if text := f.Tables()["targets"]; !strings.Contains(text, "**missed**") {
		t.Errorf("401 MB of 400 are not a miss:\n%s", text)
	}
	f.Large.Memory = f.Large.Memory[:1]
	if text := f.Tables()["targets"]; strings.Contains(text, "missed") || !strings.Contains(text, "reached") {
		t.Errorf("100 MB of 400 are a miss:\n%s", text)
	}
}

func TestLateComparesTheLongestWithTheShortest(t *testing.T) {
	l := &Late{Runs: []LateRun{
		{History: 1_000_000, Late: stats.Latency{P99: 301}}, {History: 1000, Late: stats.Latency{P99: 100}},
	}}
	if got := l.targets()[0]; got.reached || !strings.Contains(got.what, "1,000,000") {
		t.Errorf("%+v", got)
	}
}

func TestEveryRowHasTheColumnsOfItsTable(t *testing.T) {
	f := Figures{
		Throughput: throughput(1),
		Visible:    &Visible{PerSecond: 1000, Runs: []load.Visibility{{}}},
		Large:      &Large{Idle: []stats.Latency{{}}, IdleServer: []float64{0.001}},
		Late:       &Late{Runs: []LateRun{{History: 1}, {History: 2}}},
		Ceilings:   &Ceilings{Runs: []Ceiling{{Part: BarePebble, Writers: 1}, {Part: BarePebble, Writers: 1}}},
	}
	tables := f.Tables()
	for _, name := range []string{"targets", "machine", "throughput", "visible", "large", "late", "ceilings", "limits"} {
		lines := strings.Split(strings.TrimSpace(tables[name]), "\n")
		if len(lines) < 3 {
			t.Errorf("table %s has no row:\n%s", name, tables[name])
		}
		for _, line := range lines {
			if strings.Count(line, "|") != strings.Count(lines[0], "|") {
				t.Errorf("table %s: %q has other columns than %q", name, line, lines[0])
			}
		}
	}
}

func TestFillReplacesWhatIsBetweenTheMarkers(t *testing.T) {
	const page = "a\n<!-- bench:one -->\nold\n<!-- /bench:one -->\nb\n<!-- bench:two -->\n<!-- /bench:two -->\nc\n"
	want := "a\n<!-- bench:one -->\n\n| 1 |\n\n<!-- /bench:one -->\nb\n<!-- bench:two -->\n<!-- /bench:two -->\nc\n"
	tables := map[string]string{"one": "| 1 |\n", "three": "| 3 |\n"}
	got, err := Fill([]byte(page), tables)
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	again, err := Fill(got, tables)
	if err != nil || string(again) != want {
		t.Errorf("a second time: %q, %v", again, err)
	}
	if _, err := Fill([]byte("<!-- bench:one -->\n"), tables); err == nil {
		t.Error("a marker that is not closed was accepted")
	}
}

func TestSaveAndRead(t *testing.T) {
	dir := t.TempDir()
	if err := Save(dir, "late", Late{Runs: []LateRun{{History: 7}}}); err != nil {
		t.Fatal(err)
	}
	f, err := Load(dir)
	if err != nil || f.Late == nil || f.Late.Runs[0].History != 7 || f.Visible != nil {
		t.Errorf("read %+v, %v", f, err)
	}
}

func TestFigures(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{count(0), "0"}, {count(999), "999"}, {count(1000), "1,000"}, {count(1234567), "1,234,567"},
		{length(0), "0.00 µs"}, {length(250_000), "250 µs"}, {length(1_530_000), "1.53 ms"}, {length(2e9), "2.00 s"},
		{spread(stats.Over([]float64{1, 3, 2}), count), "2 (1–3)"}, {spread(stats.Spread{}, count), "–"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestThisMachineKnowsItself(t *testing.T) {
	m := ThisMachine(t.TempDir(), "/nowhere")
	if m.Cores < 1 || m.RAM < 1<<20 || m.Kernel == "" || m.Go == "" || m.Filesystem == "" {
		t.Errorf("machine %+v", m)
	}
}
