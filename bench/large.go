package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"time"

	"github.com/tidemark-dev/tidemark/bench/launch"
	"github.com/tidemark-dev/tidemark/bench/load"
	"github.com/tidemark-dev/tidemark/bench/report"
	"github.com/tidemark-dev/tidemark/bench/stats"
	"github.com/tidemark-dev/tidemark/bench/tidemark"
)

// large measures what depends on how much a server holds: reading one state,
// memory, and the time to start.
func (b *bench) large(ctx context.Context) error {
	dir, remove, err := b.scratch("large")
	if err != nil {
		return err
	}
	defer remove()
	l := &largeServer{bench: b, dir: dir}
	l.out = report.Large{Measured: b.measured(), Connections: b.connections, Events: b.events}
	if err := l.take(ctx); err != nil {
		if l.server != nil {
			l.server.Kill()
			err = fmt.Errorf("%w\nthe server said last:\n%s", err, l.server.Said())
		}
		return err
	}
	return report.Save(b.results, "large", l.out)
}

// largeServer is the server under measurement and what was found so far.
type largeServer struct {
	*bench
	dir    string
	server *tidemark.Server
	out    report.Large
	loads  uint64
}

// take goes through the measurements. Memory comes first, in the process that
// has taken in everything and is at its largest, and again after the restarts.
func (l *largeServer) take(ctx context.Context) error {
	steps := []func(context.Context) error{l.fill, l.memory, l.restarts, l.gets}
	for range l.runs - 1 {
		steps = append(steps, l.memory)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return l.server.Stop()
}

func (l *largeServer) start(ctx context.Context) (err error) {
	l.server, err = tidemark.Start(ctx, l.binary, l.dir)
	return err
}

// fill stores all events: every connection once, the rest with Zipf weights.
func (l *largeServer) fill(ctx context.Context) error {
	if err := l.start(ctx); err != nil {
		return err
	}
	corpus := l.corpus(2000, l.connections)
	corpus.EachFirst = true
	var err error
	l.out.Fill, err = inOwnProcess[load.Result](ctx, roleLoad, loadSpec{
		Load:     load.Load{Addr: l.server.Addr, Senders: 256, All: true},
		Corpus:   corpus,
		Webhooks: l.events,
	})
	if err != nil {
		return err
	}
	start := time.Now()
	now, err := l.server.CatchUp(ctx)
	if err != nil {
		return err
	}
	l.out.CatchUp = time.Since(start)
	if now.Connections.Total < l.connections || l.out.Fill.Total != l.events || now.Quarantine != 0 {
		return fmt.Errorf("stored %d of %d events about %d of %d connections, %d in quarantine (refused: %v)",
			l.out.Fill.Total, l.events, now.Connections.Total, l.connections, now.Quarantine, l.out.Fill.Refused)
	}
	if l.out.Bytes, err = bytesUnder(l.dir); err != nil {
		return err
	}
	if l.out.MemoryIdle, err = launch.MemoryOf(l.server.PID()); err != nil {
		return err
	}
	l.say("filled with %d events about %d connections at %.0f/s, caught up in %v; %d MB on disk, %d MB resident", l.events,
		l.connections, l.out.Fill.PerSecond, l.out.CatchUp.Round(time.Millisecond), l.out.Bytes>>20, l.out.MemoryIdle.Resident>>20)
	return nil
}

// memory reads what is resident while 64 senders are at work, and keeps the most.
func (l *largeServer) memory(ctx context.Context) error {
	sampling, stop := context.WithCancel(ctx)
	most := make(chan launch.Memory, 1)
	go func() { most <- largest(sampling, l.server.PID()) }()
	l.loads++
	result, err := inOwnProcess[load.Result](ctx, roleLoad, loadSpec{
		Load:     load.Load{Addr: l.server.Addr, Senders: 64, Warm: l.warm, For: l.duration},
		Corpus:   l.corpus(3000+l.loads, l.connections),
		Webhooks: l.enough(64),
	})
	stop()
	met := <-most
	if err != nil {
		return err
	}
	l.out.Memory = append(l.out.Memory, met)
	l.say("memory under a load of %.0f/s: %d MB resident at most, %d MB of it anonymous", result.PerSecond, met.Resident>>20, met.Anonymous>>20)
	_, err = l.server.CatchUp(ctx)
	return err
}

// largest reads a process's memory every 50 ms until ctx ends.
func largest(ctx context.Context, pid int) (most launch.Memory) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := launch.MemoryOf(pid)
		if err != nil {
			return most // the process is gone, which the load reports better
		}
		most.Resident, most.Anonymous, most.Peak = max(most.Resident, now.Resident), max(most.Anonymous, now.Anonymous), now.Peak
		select {
		case <-tick.C:
		case <-ctx.Done():
			return most
		}
	}
}

// restarts stops and starts the server, gently and then as a crash would.
func (l *largeServer) restarts(ctx context.Context) error {
	for range l.runs {
		if err := l.server.Stop(); err != nil {
			return err
		}
		took, err := l.timedStart(ctx)
		if err != nil {
			return err
		}
		l.out.Start = append(l.out.Start, took)
	}
	for range l.runs {
		l.server.Kill()
		took, err := l.timedStart(ctx)
		if err != nil {
			return err
		}
		l.out.Crashed = append(l.out.Crashed, took)
	}
	l.say("start: %v after a stop, %v after a kill", l.out.Start, l.out.Crashed)
	return nil
}

// timedStart returns how long a start took until the line that the server listens.
func (l *largeServer) timedStart(ctx context.Context) (time.Duration, error) {
	if err := l.start(ctx); err != nil {
		return 0, err
	}
	_, err := l.server.CatchUp(ctx)
	return l.server.Ready, err
}

// gets times GET of one state, with nothing else going on and beside a load.
func (l *largeServer) gets(ctx context.Context) error {
	for run := range l.runs {
		before, err := l.histogram(ctx)
		if err != nil {
			return err
		}
		idle, err := l.askFor(ctx, uint64(run))
		if err != nil {
			return err
		}
		after, err := l.histogram(ctx)
		if err != nil {
			return err
		}
		loaded, err := l.askUnderLoad(ctx, uint64(run))
		if err != nil {
			return err
		}
		l.out.Idle, l.out.Loaded = append(l.out.Idle, idle), append(l.out.Loaded, loaded)
		if bound := stats.Bucketed(tidemark.Since(before, after), 0.99); bound < math.Inf(1) {
			l.out.IdleServer = append(l.out.IdleServer, bound)
		}
		l.say("run %d  GET one state: p50 %v, p99 %v idle (by the server's histogram at most %v s); p50 %v, p99 %v beside 1,000 webhooks/s",
			run+1, idle.P50, idle.P99, l.out.IdleServer, loaded.P50, loaded.P99)
	}
	return nil
}

func (l *largeServer) histogram(ctx context.Context) ([]stats.Bucket, error) {
	return l.server.Histogram(ctx, "tidemark_api_request_seconds", `route="/v1/connections/{source}/{connection}"`, `status="200"`)
}

func (l *largeServer) askFor(ctx context.Context, seed uint64) (latency, error) {
	return inOwnProcess[latency](ctx, roleGets, load.Gets{Addr: l.server.Addr, Connections: l.connections, Rate: 500, For: l.duration, Seed: seed})
}

func (l *largeServer) askUnderLoad(ctx context.Context, seed uint64) (latency, error) {
	failed := make(chan error, 1)
	go func() {
		_, err := inOwnProcess[load.Result](ctx, roleLoad, loadSpec{
			Load:     l.paced(l.server.Addr, visiblePerSecond),
			Corpus:   l.corpus(4000+seed, l.connections),
			Webhooks: l.paceLength(visiblePerSecond),
		})
		failed <- err
	}()
	met, err := l.askFor(ctx, 100+seed)
	return met, errors.Join(err, <-failed)
}

// bytesUnder adds up the sizes of the files in a directory.
func bytesUnder(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // compacted away while we looked
		}
		total += info.Size()
		return err
	})
	return total, err
}
