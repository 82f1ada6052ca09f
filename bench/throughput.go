package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tidemark-dev/tidemark/bench/disk"
	"github.com/tidemark-dev/tidemark/bench/load"
	"github.com/tidemark-dev/tidemark/bench/peer"
	"github.com/tidemark-dev/tidemark/bench/report"
	"github.com/tidemark-dev/tidemark/bench/webhook"
)

// lostError says that a side lost what it had acknowledged.
type lostError struct{ acknowledged, stored int }

func (e lostError) Error() string {
	return fmt.Sprintf("%d webhooks were acknowledged and %d are stored", e.acknowledged, e.stored)
}

// throughput measures acknowledged webhooks a second and the latency of one on
// all sides in turn. Each run starts every side on an empty store and begins
// with another side, so that nothing that drifts favours one of them.
func (b *bench) throughput(ctx context.Context) error {
	own, err := peer.DefaultPool()
	if err != nil {
		return err
	}
	out := report.Throughput{Measured: b.measured(), Seconds: b.duration.Seconds(), Body: b.body, DefaultPool: own}
	pools := b.pools
	if len(pools) == 0 {
		pools = []int{own, 16, 32}
	}
	slices.Sort(pools)
	all := b.sides(slices.Compact(pools))
	for run := range b.runs {
		for i := range all {
			side := all[(run+i)%len(all)]
			sync, err := disk.Sync(b.dir, time.Second)
			if err != nil {
				return err
			}
			out.Fdatasync = append(out.Fdatasync, sync)
			runs, err := b.throughputOf(ctx, side, run)
			if err != nil {
				return fmt.Errorf("%s: %w", side.name, err)
			}
			out.Runs = append(out.Runs, runs...)
		}
		if err := report.Save(b.results, "throughput", out); err != nil {
			return err
		}
	}
	return nil
}

// throughputOf puts every number of senders on one side.
func (b *bench) throughputOf(ctx context.Context, s side, run int) (runs []report.ThroughputRun, err error) {
	dir, remove, err := b.scratch("throughput")
	if err != nil {
		return nil, err
	}
	defer remove()
	up, err := s.start(ctx, b, dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if stopped := up.stop(); err == nil {
			err = stopped
		}
	}()
	for i, senders := range b.senders {
		one := report.ThroughputRun{Side: s.name, Senders: senders, Pool: s.pool, Run: run}
		if err := b.measureLoad(ctx, up, &one, uint64(run*len(b.senders)+i)); err != nil {
			return nil, err
		}
		b.say("run %d  %-26s pool %3d  %3d senders  %8.0f/s  p50 %8v  p99 %8v  %3d µs CPU each  behind %d, caught up in %v",
			run+1, s.name, s.pool, senders, one.Result.PerSecond, one.Result.Latency.P50.Round(time.Microsecond),
			one.Result.Latency.P99.Round(time.Microsecond), one.ServerCPU.Microseconds(), one.Behind, one.CatchUp.Round(time.Millisecond))
		runs = append(runs, one)
	}
	return runs, nil
}

func (b *bench) measureLoad(ctx context.Context, up *running, one *report.ThroughputRun, seed uint64) error {
	spec := loadSpec{
		Load:     load.Load{Addr: up.addr, Senders: one.Senders, Warm: b.warm, For: b.duration, Again: one.Side == report.NoStore},
		Corpus:   b.corpus(seed, 10_000),
		Webhooks: b.enough(one.Senders),
	}
	before, err := up.cpu()
	if err != nil {
		return err
	}
	if one.Result, err = inOwnProcess[load.Result](ctx, roleLoad, spec); err != nil {
		return err
	}
	if one.Behind, one.CatchUp, err = up.settle(ctx); err != nil {
		return err
	}
	after, err := up.cpu()
	if err != nil {
		return err
	}
	if one.Result.Acknowledged == 0 {
		return fmt.Errorf("nothing was acknowledged; the answers were %v", one.Result.Refused)
	}
	one.ServerCPU = (after - before) / time.Duration(one.Result.Total)
	return up.check(ctx, one.Result)
}

// enough returns how many webhooks must be ready so that the fastest side does
// not run out of them before the time is over.
func (b *bench) enough(senders int) int {
	perSecond := min(senders*20_000, 80_000)
	return int((b.warm + b.duration).Seconds() * float64(perSecond))
}

// corpus returns the webhooks of one load. Their times end about now.
func (b *bench) corpus(seed uint64, connections int) webhook.Corpus {
	const spacing = 20 * time.Microsecond
	return webhook.Corpus{
		Seed: b.seed + seed, Connections: connections, Size: b.body, Late: 0.05,
		From: time.Now().Add(-time.Minute).UTC(), Spacing: spacing,
	}
}
