package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/tidemark-dev/tidemark/bench/launch"
	"github.com/tidemark-dev/tidemark/bench/load"
	"github.com/tidemark-dev/tidemark/bench/peer"
	"github.com/tidemark-dev/tidemark/bench/postgres"
	"github.com/tidemark-dev/tidemark/bench/report"
	"github.com/tidemark-dev/tidemark/bench/tidemark"
)

// side is one of those that are compared.
type side struct {
	name string
	// pool is the size of the connection pool, for the sides that have one.
	pool int
	// start brings the side up, with nothing stored yet, in the directory dir.
	start func(ctx context.Context, b *bench, dir string) (*running, error)
}

// running is a side that is up.
type running struct {
	addr string
	// pids are the processes whose processor time is the side's.
	pids []int
	// settle waits until the side has done all the work a load has given it.
	settle func(ctx context.Context) (behind int, took time.Duration, err error)
	// check reports an error unless what was acknowledged is stored.
	check func(ctx context.Context, result load.Result) error
	stop  func() error
}

// cpu returns the processor time the side has used so far.
func (r *running) cpu() (time.Duration, error) {
	var total time.Duration
	for _, pid := range r.pids {
		used, err := launch.CPUOf(pid)
		if err != nil {
			return 0, err
		}
		total += used
	}
	return total, nil
}

func atOnce(context.Context) (int, time.Duration, error) { return 0, 0, nil }

// sides returns those to compare: Tidemark, the handler that stores nothing,
// and PostgreSQL stock and tuned with each size of the pool.
func (b *bench) sides(pools []int) []side {
	var all []side
	if b.binary != "" {
		all = append(all, side{name: report.Tidemark, start: startTidemark})
	}
	all = append(all, side{name: report.NoStore, start: startNoStore})
	for _, pool := range pools {
		all = append(all,
			postgresSide(report.PostgresStock, postgres.Stock, "each", pool),
			postgresSide(report.PostgresTuned, postgres.Tuned, "each", pool))
	}
	return append(all, postgresSide(report.PostgresGroup, postgres.Tuned, "grouped", 1))
}

func startTidemark(ctx context.Context, b *bench, dir string) (*running, error) {
	server, err := tidemark.Start(ctx, b.binary, dir)
	if err != nil {
		return nil, err
	}
	return &running{
		addr: server.Addr,
		pids: []int{server.PID()},
		settle: func(ctx context.Context) (int, time.Duration, error) {
			start := time.Now()
			now, err := server.Stats(ctx)
			if err != nil {
				return 0, 0, err
			}
			_, err = server.CatchUp(ctx)
			return now.Head - now.Checkpoint, time.Since(start), err
		},
		check: func(ctx context.Context, result load.Result) error {
			for _, answer := range result.Answers {
				if err := server.Stored(ctx, answer); err != nil {
					return err
				}
			}
			return nil
		},
		stop: server.Stop,
	}, nil
}

func startNoStore(ctx context.Context, _ *bench, _ string) (*running, error) {
	server, err := startPeer(ctx, peerSpec{Store: "none"})
	if err != nil {
		return nil, err
	}
	return &running{
		addr:   server.Addr,
		pids:   []int{server.PID()},
		settle: atOnce,
		check:  func(context.Context, load.Result) error { return nil },
		stop:   server.Stop,
	}, nil
}

func postgresSide(name string, settings postgres.Settings, store string, pool int) side {
	return side{name: name, pool: pool, start: func(ctx context.Context, b *bench, dir string) (*running, error) {
		return startPostgres(ctx, filepath.Join(dir, "pg"), b.postgresBin, settings, peerSpec{Store: store, Pool: pool})
	}}
}

func startPostgres(ctx context.Context, dir, bin string, settings postgres.Settings, spec peerSpec) (*running, error) {
	cluster, err := postgres.Start(ctx, bin, dir, settings)
	if err != nil {
		return nil, err
	}
	if err := cluster.Exec(ctx, peer.Schema); err != nil {
		return nil, errors.Join(err, cluster.Stop())
	}
	spec.DSN = cluster.DSN
	server, err := startPeer(ctx, spec)
	if err != nil {
		return nil, errors.Join(err, cluster.Stop())
	}
	acknowledged := 0
	return &running{
		addr:   server.Addr,
		pids:   []int{server.PID(), cluster.PID()},
		settle: atOnce,
		check: func(ctx context.Context, result load.Result) error {
			acknowledged += result.Total
			stored, err := cluster.Count(ctx, "SELECT count(*) FROM events")
			if err == nil && stored < acknowledged {
				err = lostError{acknowledged, stored}
			}
			return err
		},
		stop: func() error { return errors.Join(server.Stop(), cluster.Stop()) },
	}, nil
}

func startPeer(ctx context.Context, spec peerSpec) (*launch.Server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return launch.Start(ctx, exec.Command(self, rolePeer, string(text)))
}
