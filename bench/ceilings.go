package main

import (
	"context"
	"fmt"
	"time"

	"github.com/tidemark-dev/tidemark/bench/ceiling"
	"github.com/tidemark-dev/tidemark/bench/report"
)

// ceilings measures what the parts can do alone, each in a process of its own.
func (b *bench) ceilings(ctx context.Context) error {
	out := report.Ceilings{Measured: b.measured()}
	for run := range b.runs {
		for _, part := range []string{report.BareJetStream, report.BarePebble} {
			for _, writers := range b.senders {
				result, err := b.ceilingOf(ctx, part, writers)
				if err != nil {
					return fmt.Errorf("bare %s: %w", part, err)
				}
				b.say("run %d  bare %-12s %3d writers  %8.0f/s  p50 %8v", run+1, part, writers, result.PerSecond, result.Latency.P50.Round(time.Microsecond))
				out.Runs = append(out.Runs, report.Ceiling{Part: part, Writers: writers, PerSecond: result.PerSecond, Latency: result.Latency})
			}
		}
	}
	return report.Save(b.results, "ceilings", out)
}

func (b *bench) ceilingOf(ctx context.Context, part string, writers int) (ceiling.Result, error) {
	dir, remove, err := b.scratch(part)
	if err != nil {
		return ceiling.Result{}, err
	}
	defer remove()
	return inOwnProcess[ceiling.Result](ctx, roleCeiling, ceiling.Spec{Part: part, Dir: dir, Writers: writers, Body: b.body, For: b.duration})
}
