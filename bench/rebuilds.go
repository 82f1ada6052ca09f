package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tidemark-dev/tidemark/bench/history"
	"github.com/tidemark-dev/tidemark/bench/past"
	"github.com/tidemark-dev/tidemark/bench/pgfold"
	"github.com/tidemark-dev/tidemark/bench/rebuilding"
	"github.com/tidemark-dev/tidemark/bench/report"
)

// rebuild measures rebuilds of histories of each length, one length after the other.
func (b *bench) rebuild(ctx context.Context) error {
	for _, events := range b.histories {
		if err := b.rebuildOf(ctx, events); err != nil {
			return fmt.Errorf("%d events: %w", events, err)
		}
	}
	return nil
}

// subject is a history with the generation that serves it.
type subject struct {
	report.History
	spec    history.Spec
	serving string
}

func (b *bench) rebuildOf(ctx context.Context, events int) error {
	out := report.Rebuild{Measured: b.measured(), Events: events, Body: b.body}
	var subjects []subject
	for _, connections := range b.historyConnections {
		for _, group := range []int{1, b.group} {
			s, err := b.subject(ctx, history.Spec{Cache: b.cache, Events: events, Connections: connections, Group: group, Body: b.body, Seed: b.seed})
			if err != nil {
				return err
			}
			defer os.RemoveAll(filepath.Dir(s.serving))
			subjects, out.Histories = append(subjects, s), append(out.Histories, s.History)
		}
	}
	for run := range b.runs {
		for _, s := range subjects {
			if err := b.rebuildSides(ctx, &out, s, run); err != nil {
				return err
			}
		}
		if err := report.Save(b.results, fmt.Sprintf("%s%d", report.RebuildFiles, events), out); err != nil {
			return err
		}
	}
	return nil
}

// subject makes the history, or finds it, and builds the generation that serves it.
func (b *bench) subject(ctx context.Context, spec history.Spec) (s subject, err error) {
	b.say("history of %d events, %d connections, %d events a message in %s", spec.Events, spec.Connections, spec.Group, spec.Cache)
	if err := os.MkdirAll(b.cache, 0o755); err != nil {
		return s, err
	}
	if cache, dir := report.Filesystem(b.cache), report.Filesystem(b.dir); cache != dir {
		return s, fmt.Errorf("the histories are on %s and the rebuilds on %s: name directories on one disk with -cache and -dir", cache, dir)
	}
	if s.Made, err = inOwnProcess[history.Made](ctx, roleHistory, spec); err != nil {
		return s, err
	}
	dir, remove, err := b.scratch("serving")
	if err != nil {
		return s, err
	}
	s.spec, s.serving = spec, filepath.Join(dir, "gen-1")
	s.History.Group, s.History.Connections = spec.Group, spec.Connections
	if _, err := inOwnProcess[rebuilding.Result](ctx, roleRebuild, rebuilding.Spec{What: rebuilding.Rebuild, History: spec, Dir: s.serving}); err != nil {
		remove()
	}
	return s, err
}

// rebuildSides measures every side on one history once; each run begins with another side.
func (b *bench) rebuildSides(ctx context.Context, out *report.Rebuild, s subject, run int) error {
	sides := []string{rebuilding.Cursor, rebuilding.Bare, rebuilding.BareTCP, rebuilding.Rebuild, rebuilding.Verify}
	if s.Group > 1 { // neither asks how the log was written
		sides = append(sides, rebuilding.Refold, report.FoldSQL)
	}
	for i := range sides {
		what := sides[(run+i)%len(sides)]
		measure := b.rebuildSide
		if what == report.FoldSQL {
			measure = b.foldSQL
		}
		if err := measure(ctx, out, s, what, run); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}

func (b *bench) rebuildSide(ctx context.Context, out *report.Rebuild, s subject, what string, run int) error {
	dir, remove, err := b.scratch("rebuild")
	if err != nil {
		return err
	}
	defer remove()
	result, err := inOwnProcess[rebuilding.Result](ctx, roleRebuild,
		rebuilding.Spec{What: what, History: s.spec, Dir: filepath.Join(dir, "gen-2"), Serving: s.serving})
	if err != nil {
		return err
	}
	r := report.RebuildRun{History: s.History, What: what, Run: run, Result: result}
	out.Runs = append(out.Runs, r)
	b.say("run %d  %-42s %-9s %9.0f/s  %5d ns CPU each  %4d MB at most%s", run+1, s.History, what, r.PerSecond(),
		result.CPU.Nanoseconds()/int64(result.Events), result.Peak>>20, r.Remark())
	return nil
}

func (b *bench) foldSQL(ctx context.Context, out *report.Rebuild, s subject, _ string, run int) error {
	dir, remove, err := b.scratch("pgfold")
	if err != nil {
		return err
	}
	defer remove()
	ways := []string{pgfold.Set, pgfold.Rows}
	if run%2 == 1 {
		ways[0], ways[1] = ways[1], ways[0]
	}
	result, err := pgfold.Run(ctx, b.postgresBin, filepath.Join(dir, "pg"), s.spec.Observations(), ways...)
	if err != nil {
		return err
	}
	for _, f := range result.Folds {
		r := report.SQLRun{History: s.History, Run: run, Load: result.Load, Fold: f}
		out.SQL = append(out.SQL, r)
		b.say("run %d  %-42s SQL, %-4s %9.0f/s%s; COPY before it took %v", run+1, s.History, f.Way, r.PerSecond(), r.Remark(), result.Load.Round(time.Millisecond))
	}
	return nil
}

// past measures questions about the past of a connection with a short and with a long history.
func (b *bench) past(ctx context.Context) error {
	out := report.Past{Measured: b.measured()}
	for run := range b.runs {
		for _, length := range []int{1_000, 1_000_000} {
			met, err := b.pastOf(ctx, length, uint64(run))
			if err != nil {
				return err
			}
			for _, axis := range past.Axes {
				b.say("run %d  history of %7d: %s p50 %v, p99 %v", run+1, length, axis, met[axis].P50, met[axis].P99)
			}
			out.Runs = append(out.Runs, report.PastRun{History: length, Asked: met})
		}
	}
	return report.Save(b.results, "past", out)
}

func (b *bench) pastOf(ctx context.Context, length int, seed uint64) (past.Result, error) {
	dir, remove, err := b.scratch("past")
	if err != nil {
		return nil, err
	}
	defer remove()
	return inOwnProcess[past.Result](ctx, rolePast, past.Spec{Dir: dir, History: length, Samples: 5_000, Known: 100, Body: b.body, Seed: b.seed + seed})
}
