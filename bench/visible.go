package main

import (
	"context"
	"fmt"
	"time"

	"github.com/tidemark-dev/tidemark/bench/load"
	"github.com/tidemark-dev/tidemark/bench/report"
	"github.com/tidemark-dev/tidemark/bench/tidemark"
)

// At a thousand webhooks a second a tenth of them are probes that are looked for.
const (
	visiblePerSecond = 1_000
	probesPerSecond  = 100
	probes           = 40
)

// visible measures how long an acknowledged webhook takes to be seen in its
// connection's state.
func (b *bench) visible(ctx context.Context) error {
	out := report.Visible{Measured: b.measured(), PerSecond: visiblePerSecond}
	for run := range b.runs {
		met, err := b.visibleOnce(ctx, uint64(run))
		if err != nil {
			return err
		}
		b.say("run %d  visible after 200: p50 %v, p99 %v of %d probes at %.0f webhooks/s", run+1,
			met.Lag.P50.Round(time.Microsecond), met.Lag.P99.Round(time.Microsecond), met.Lag.Count,
			met.Background.PerSecond+met.Probes)
		out.Runs = append(out.Runs, met)
	}
	return report.Save(b.results, "visible", out)
}

func (b *bench) visibleOnce(ctx context.Context, seed uint64) (met load.Visibility, err error) {
	dir, remove, err := b.scratch("visible")
	if err != nil {
		return met, err
	}
	defer remove()
	server, err := tidemark.Start(ctx, b.binary, dir)
	if err != nil {
		return met, err
	}
	defer func() {
		if stopped := server.Stop(); err == nil {
			err = stopped
		}
	}()
	met, err = inOwnProcess[load.Visibility](ctx, roleVisible, visibleSpec{
		loadSpec: loadSpec{
			Load:     b.paced(server.Addr, visiblePerSecond-probesPerSecond),
			Corpus:   b.corpus(1000+seed, 10_000),
			Webhooks: b.paceLength(visiblePerSecond - probesPerSecond),
		},
		Visible: load.Visible{Probes: probes, Every: probes * time.Second / probesPerSecond, For: b.duration},
	})
	if err == nil && len(met.Background.Refused) > 0 {
		err = fmt.Errorf("webhooks were refused: %v", met.Background.Refused)
	}
	return met, err
}

// paced is a load of so many webhooks a second, spread over 64 connections.
func (b *bench) paced(addr string, rate int) load.Load {
	return load.Load{Addr: addr, Senders: 64, Rate: rate, For: b.duration}
}

// paceLength is how many webhooks a paced load needs.
func (b *bench) paceLength(rate int) int {
	return int(b.duration.Seconds()*float64(rate)) + 1
}
