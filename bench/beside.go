package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tidemark-dev/tidemark/bench/history"
	"github.com/tidemark-dev/tidemark/bench/load"
	"github.com/tidemark-dev/tidemark/bench/report"
	"github.com/tidemark-dev/tidemark/bench/tidemark"
)

const (
	besideReaders = 4
	// besideGets are questions a second of all readers together.
	besideGets = 500
	// besideLimit is how long a rebuild may take, and for how long there are webhooks.
	besideLimit = 3 * time.Minute
)

// beside measures what readers and senders notice of a rebuild: on a server that holds the
// history of -events and -connections, without one and from its start until its generation serves.
func (b *bench) beside(ctx context.Context) (err error) {
	spec := history.Spec{Cache: b.cache, Events: b.events, Connections: b.connections, Group: b.group, Body: b.body, Seed: b.seed}
	b.say("history of %d events, %d connections, %d events a message in %s", spec.Events, spec.Connections, spec.Group, spec.Cache)
	if err := os.MkdirAll(b.cache, 0o755); err != nil {
		return err
	}
	if _, err := inOwnProcess[history.Made](ctx, roleHistory, spec); err != nil {
		return err
	}
	dir, remove, err := b.scratch("beside")
	if err != nil {
		return err
	}
	defer remove()
	if err := os.CopyFS(filepath.Join(dir, "data", "log"), os.DirFS(spec.Log())); err != nil {
		return err
	}
	server, err := tidemark.Start(ctx, b.binary, dir)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			server.Kill()
			err = fmt.Errorf("%w\nthe server said last:\n%s", err, server.Said())
		}
	}()
	if _, err := server.CatchUp(ctx); err != nil {
		return err
	}
	out := report.Beside{Measured: b.measured(), Connections: b.connections, Events: b.events, PerSecond: visiblePerSecond, Gets: besideGets}
	for run := range b.runs {
		met, err := inOwnProcess[load.Besides](ctx, roleBeside, besideSpec{
			loadSpec: loadSpec{
				Load:     load.Load{Addr: server.Addr, Senders: 64, Rate: visiblePerSecond},
				Corpus:   b.corpus(6000+uint64(run), b.connections),
				Webhooks: int((b.duration+besideLimit).Seconds())*visiblePerSecond + 1,
			},
			Beside: load.Beside{Readers: besideReaders, Rate: besideGets, Connections: b.connections, Seed: b.seed + uint64(run), For: b.duration, Limit: besideLimit},
		})
		if err != nil {
			return err
		}
		for _, answer := range append(met.Alone.Webhooks.Answers, met.During.Webhooks.Answers...) {
			if err := server.Stored(ctx, answer); err != nil {
				return err
			}
		}
		out.Runs = append(out.Runs, met)
		b.say("run %d  GET one state: p50 %v, p99 %v; during a rebuild of %v p50 %v, p99 %v; webhooks p99 %v and %v, %d connections differ, %d states went back", run+1,
			met.Alone.Gets.P50, met.Alone.Gets.P99, met.Rebuild.Round(time.Millisecond), met.During.Gets.P50, met.During.Gets.P99,
			met.Alone.Webhooks.Latency.P99, met.During.Webhooks.Latency.P99, met.Changed, met.Alone.Backward+met.During.Backward)
	}
	if err := server.Stop(); err != nil {
		return err
	}
	return report.Save(b.results, "beside", out)
}
