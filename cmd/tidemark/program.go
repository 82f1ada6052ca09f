package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark-dev/tidemark/api"
	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
	"github.com/tidemark-dev/tidemark/ingest"
	"github.com/tidemark-dev/tidemark/projections/generations"
)

const (
	// drainTime is what requests under way are given at the end. The log answers
	// each append within 5 s, so what takes longer is a sender that does not send. Together
	// with the rest it stays below the 10 s that are promised.
	drainTime = 6 * time.Second
	// readyTime is how long the first answer of the log is waited for before the server says that it listens.
	readyTime = 3 * time.Second
)

// program is a server whose parts are open and not running yet.
type program struct {
	log     *stream.Log
	set     *generations.Set
	ingest  *ingest.Handler
	api     *api.Handler
	gate    *gate
	servers []*listening
	logger  *slog.Logger
	reload  *reloader
	hangups hangups
}

// listening is one HTTP server on its listener.
type listening struct {
	addr     net.Addr
	listener net.Listener
	http     *http.Server
}

// split sends webhooks to ingest and everything else to the API. No ServeMux: it
// redirects paths with ".." and "//", and those may belong to a connection's id.
func split(in, queries http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.EscapedPath(), "/in/") {
			in.ServeHTTP(w, r)
			return
		}
		queries.ServeHTTP(w, r)
	})
}

// run runs every part until ctx ends or the log cannot go on, and then ends
// them in the order in which they depend on each other: new requests are refused,
// those under way are answered, what they stored is committed, and the projection
// takes in what it has read. It returns nil after a clean end. ready is called once
// the server answers.
func (p *program) run(ctx context.Context, ready func()) error {
	runLog, stopLog := context.WithCancel(context.Background())
	defer stopLog()
	runProjection, stopProjection := context.WithCancel(context.Background())
	defer stopProjection()

	g, ctx := errgroup.WithContext(ctx)
	logEnded := make(chan struct{})
	g.Go(func() error {
		defer close(logEnded)
		if err := p.log.Run(runLog); err != nil {
			return p.logEnded(err)
		}
		return nil
	})
	g.Go(func() error {
		// A projection that stops is named by /readyz, and queries and rebuilds go on: no reason to end.
		if err := p.set.Run(runProjection); err != nil {
			p.logger.Error("the projection stands still", slog.Any("error", err))
		}
		return nil
	})
	g.Go(func() error { return p.reload.Run(ctx, p.hangups) })
	for _, s := range p.servers {
		g.Go(func() error {
			if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve %s: %w", s.addr, err)
			}
			return nil
		})
	}
	g.Go(func() error {
		if p.awaitLog(ctx) {
			ready()
		}
		<-ctx.Done()
		p.logger.Info("stopping: webhooks are refused from now on, those under way are answered")
		p.ingest.Drain()
		p.api.Drain()
		p.drain()
		stopLog()
		<-logEnded
		stopProjection()
		return nil
	})
	if err := g.Wait(); !errors.Is(err, errLeft) {
		return err
	}
	return nil
}

// awaitLog waits until the log takes events, or not much longer: a server whose log
// does not answer listens all the same, says so at /readyz and answers 503. It is false if ctx ended.
func (p *program) awaitLog(ctx context.Context) bool {
	limit := time.NewTimer(readyTime)
	defer limit.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for p.gate.closed() == nil && p.log.Health() != nil {
		select {
		case <-ctx.Done():
			return false
		case <-limit.C:
			return true
		case <-tick.C:
		}
	}
	return true
}

// drain closes the listeners and waits for the requests under way. What is not
// done in time is cut off: it was not acknowledged, so its sender sends it again.
func (p *program) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	var g errgroup.Group
	for _, s := range p.servers {
		g.Go(func() error {
			if err := s.http.Shutdown(ctx); err != nil {
				p.logger.Warn("requests were cut off: they took too long", slog.Any("address", s.addr.String()))
				return s.http.Close()
			}
			return nil
		})
	}
	_ = g.Wait() // what does not close is closed by the end of the process
}

// logEnded says what it means that the log cannot go on.
func (p *program) logEnded(err error) error {
	if errors.Is(err, eventstore.ErrIntegrity) {
		return &failure{err, exitIntegrity, "nothing was acknowledged since; look at the disk (dmesg, smartctl) before you start again"}
	}
	return err
}
