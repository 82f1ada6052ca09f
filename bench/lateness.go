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
		for _, r := range []report.LateRun{
			{History: 1_000, Pause: apart}, {History: 1_000_000, Pause: apart}, {History: 1_000}, {History: 1_000_000},
		} {
			met, err := b.lateIn(ctx, r, uint64(run))
			if err != nil {
				return err
			}
			b.say("run %d  history of %7d, a pause of %v: late p50 %v, p99 %v; in order p50 %v, p99 %v", run+1, r.History, r.Pause,
				met.Late.P50.Round(time.Microsecond), met.Late.P99.Round(time.Microsecond),
				met.InOrder.P50.Round(time.Microsecond), met.InOrder.P99.Round(time.Microsecond))
			r.Late, r.InOrder = met.Late, met.InOrder
			out.Runs = append(out.Runs, r)
		}
	}
	return report.Save(b.results, "late", out)
}

// apart is the pause before an event that comes by itself.
const apart = time.Millisecond

func (b *bench) lateIn(ctx context.Context, r report.LateRun, seed uint64) (late.Result, error) {
	dir, remove, err := b.scratch("late")
	if err != nil {
		return late.Result{}, err
	}
	defer remove()
	return inOwnProcess[late.Result](ctx, roleLate, late.Spec{Dir: dir, History: r.History, Samples: 5_000, Pause: r.Pause, Body: b.body, Seed: b.seed + seed})
}
