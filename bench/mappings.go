package main

import (
	"context"
	"time"

	"github.com/tidemark-dev/tidemark/bench/mapping"
	"github.com/tidemark-dev/tidemark/bench/report"
)

// mapping measures what reading one event costs, for every built-in definition.
func (b *bench) mapping(ctx context.Context) error {
	out := report.Mapping{Measured: b.measured()}
	for run := range b.runs {
		met, err := inOwnProcess[[]mapping.Fixture](ctx, roleMapping, mapping.Spec{For: b.duration / 250})
		if err != nil {
			return err
		}
		out.Runs = append(out.Runs, met)
		b.say("run %d  %d fixtures mapped, the dearest in %v", run+1, len(met), time.Duration(out.Dearest(run)))
	}
	return report.Save(b.results, "mapping", out)
}
