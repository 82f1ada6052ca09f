package main

import (
	"context"
	"time"

	"github.com/tidemark-dev/tidemark/bench/late"
	"github.com/tidemark-dev/tidemark/bench/report"
)

// late measures what a late event costs in a short and in a long history.
func (b *bench) late(ctx context.Context) error {
	out := report.Late{Measured: b.measured()}
	for run := range b.runs {
		for _, history := range []int{1_000, 1_000_000} {
			met, err := b.lateIn(ctx, history, uint64(run))
			if err != nil {
				return err
			}
			b.say("run %d  history of %7d: late p50 %v, p99 %v; in order p50 %v, p99 %v", run+1, history,
				met.Late.P50.Round(time.Microsecond), met.Late.P99.Round(time.Microsecond),
				met.InOrder.P50.Round(time.Microsecond), met.InOrder.P99.Round(time.Microsecond))
			out.Runs = append(out.Runs, report.LateRun{History: history, Late: met.Late, InOrder: met.InOrder})
		}
	}
	return report.Save(b.results, "late", out)
}

func (b *bench) lateIn(ctx context.Context, history int, seed uint64) (late.Result, error) {
	dir, remove, err := b.scratch("late")
	if err != nil {
		return late.Result{}, err
	}
	defer remove()
	return inOwnProcess[late.Result](ctx, roleLate, late.Spec{Dir: dir, History: history, Samples: 5_000, Body: b.body, Seed: b.seed + seed})
}
