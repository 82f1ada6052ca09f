package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/tidemark-dev/tidemark/bench/ceiling"
	"github.com/tidemark-dev/tidemark/bench/history"
	"github.com/tidemark-dev/tidemark/bench/late"
	"github.com/tidemark-dev/tidemark/bench/launch"
	"github.com/tidemark-dev/tidemark/bench/load"
	"github.com/tidemark-dev/tidemark/bench/mapping"
	"github.com/tidemark-dev/tidemark/bench/past"
	"github.com/tidemark-dev/tidemark/bench/peer"
	"github.com/tidemark-dev/tidemark/bench/rebuilding"
	"github.com/tidemark-dev/tidemark/bench/stats"
	"github.com/tidemark-dev/tidemark/bench/webhook"
)

// The program starts itself anew for every part that must not share a process
// with another. The first argument names the part, the second is its JSON.
const (
	rolePeer    = "role:peer"
	roleLoad    = "role:load"
	roleVisible = "role:visible"
	roleBeside  = "role:beside"
	roleGets    = "role:gets"
	roleCeiling = "role:ceiling"
	roleLate    = "role:late"
	roleHistory = "role:history"
	roleRebuild = "role:rebuild"
	rolePast    = "role:past"
	roleMapping = "role:mapping"
)

// loadSpec is what a process that puts a load on a server is told.
type loadSpec struct {
	Load   load.Load
	Corpus webhook.Corpus
	// Webhooks is how many are made before the clock starts.
	Webhooks int
}

type visibleSpec struct {
	loadSpec
	Visible load.Visible
}

type besideSpec struct {
	loadSpec
	Beside load.Beside
}

type peerSpec struct {
	Store string // "none", "each" or "grouped"
	DSN   string
	Pool  int
}

// playRole runs the part and prints its result as JSON on stdout.
func playRole(ctx context.Context, role, spec string) error {
	switch role {
	case rolePeer:
		var s peerSpec
		if err := json.Unmarshal([]byte(spec), &s); err != nil {
			return err
		}
		return servePeer(ctx, s)
	case roleLoad:
		return play(spec, loadSpec.run)
	case roleVisible:
		return play(spec, visibleSpec.run)
	case roleBeside:
		return play(spec, besideSpec.run)
	case roleGets:
		return play(spec, load.Gets.Run)
	case roleCeiling:
		return playServer(spec, ceiling.Spec.Run)
	case roleLate:
		return playServer(spec, late.Spec.Run)
	case roleHistory:
		return playServer(spec, history.Spec.Make)
	case roleRebuild:
		return playServer(spec, rebuilding.Spec.Run)
	case rolePast:
		return playServer(spec, past.Spec.Run)
	case roleMapping:
		return playServer(spec, mapping.Spec.Run)
	}
	return fmt.Errorf("no part %q", role)
}

// play is playServer for a client: it must not stop to collect garbage in front
// of a stopwatch, and a probe that waits in the kernel must not keep another
// from running.
func play[S, R any](spec string, run func(S) (R, error)) error {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(8 << 30)
	runtime.GOMAXPROCS(64)
	return perform(spec, run)
}

// playServer reads a spec, runs it and prints what it met. One goroutine more than
// there are processors may run, as in `tidemark serve`, for the one that waits for the disk.
func playServer[S, R any](spec string, run func(S) (R, error)) error {
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	return perform(spec, run)
}

// perform reads a spec, runs it and prints what it met.
func perform[S, R any](spec string, run func(S) (R, error)) error {
	var s S
	if err := json.Unmarshal([]byte(spec), &s); err != nil {
		return err
	}
	result, err := run(s)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

func (s loadSpec) run() (load.Result, error) {
	var err error
	if s.Load.Requests, err = s.Corpus.Build(s.Webhooks, s.Load.Addr); err != nil {
		return load.Result{}, err
	}
	runtime.GC()
	return s.Load.Run()
}

func (s visibleSpec) run() (load.Visibility, error) {
	var err error
	if s.Load.Requests, err = s.Corpus.Build(s.Webhooks, s.Load.Addr); err != nil {
		return load.Visibility{}, err
	}
	runtime.GC()
	s.Visible.Background = s.Load
	return s.Visible.Run()
}

func (s besideSpec) run() (load.Besides, error) {
	var err error
	if s.Load.Requests, err = s.Corpus.Build(s.Webhooks, s.Load.Addr); err != nil {
		return load.Besides{}, err
	}
	runtime.GC()
	s.Beside.Background = s.Load
	return s.Beside.Run()
}

// servePeer serves one of the handlers Tidemark is measured against.
func servePeer(ctx context.Context, s peerSpec) error {
	if s.Store == "none" {
		return peer.Serve(ctx, peer.Nothing{}, os.Stderr)
	}
	pool, err := peer.Connect(ctx, s.DSN, s.Pool)
	if err != nil {
		return err
	}
	defer pool.Close()
	if s.Store == "each" {
		return peer.Serve(ctx, peer.NewEach(pool), os.Stderr)
	}
	grouped := peer.NewGrouped(pool)
	go grouped.Run(context.WithoutCancel(ctx)) // ends with the process, after the last answer
	return peer.Serve(ctx, grouped, os.Stderr)
}

// inOwnProcess runs a part in a process of its own and returns its result.
func inOwnProcess[R any](ctx context.Context, role string, spec any) (R, error) {
	var result R
	text, err := json.Marshal(spec)
	if err != nil {
		return result, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	out, err := launch.Output(ctx, role, string(text))
	if err != nil {
		return result, err
	}
	if err := json.Unmarshal(out, &result); err != nil {
		return result, fmt.Errorf("%s printed what is not its result: %w", role, err)
	}
	return result, nil
}

// latency is named here so that the type parameter of inOwnProcess reads well.
type latency = stats.Latency
