// Package rebuilding measures what a rebuild costs, in the process that does it and
// with the embedded log it reads in the same process, as in `tidemark serve`: the rebuild itself, the
// digests that make a verify of it, a refold, and readers that do nothing with what they read.
//
// Guarantee: a rebuild is timed from the call of rebuild.Build until it returns, when
// all is on disk. Whether its states are right is found out after the clock has stopped.
package rebuilding

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/tidemark-dev/tidemark/bench/bare"
	"github.com/tidemark-dev/tidemark/bench/history"
	"github.com/tidemark-dev/tidemark/bench/launch"
	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/rebuild"
)

// What can be measured.
const (
	// Bare and BareTCP read with the client library's ordered consumer, through a pipe in the process or loopback.
	Bare    = "bare"
	BareTCP = "bare-tcp"
	// Cursor reads with Tidemark's own cursor: checksums, order and every event's envelope decoded.
	Cursor  = "cursor"
	Rebuild = "rebuild"
	Refold  = "refold"
	// Verify is a rebuild that sums up what it writes, and the digest of the serving generation that it is held to.
	Verify = "verify"
)

// Spec says what to measure.
type Spec struct {
	What    string
	History history.Spec
	// Dir is where a generation is to be made; it does not exist.
	Dir string
	// Serving is a generation that is there: the one to refold, or to verify. None is verified if it is empty.
	Serving string
}

// Result is what was measured.
type Result struct {
	Events int           `json:"events"`
	Took   time.Duration `json:"took_ns"`
	// CPU is the processor time of the process meanwhile, its server's included.
	CPU time.Duration `json:"cpu_ns"`
	// Peak is the most that was resident until then, in bytes.
	Peak   int64                           `json:"peak_bytes"`
	Phases map[rebuild.Phase]time.Duration `json:"phases_ns,omitempty"`
	// States is the digest of the states that came of it, as oracle.State writes them.
	States string `json:"states,omitempty"`
	// Digests is how long a verify took after that to hold the serving generation to the new one by the digests of
	// every row of both; Equal whether these are the same, which is asked of whatever makes a generation.
	Digests time.Duration `json:"digests_ns,omitempty"`
	Equal   bool          `json:"equal,omitempty"`
	// Bytes is the size of the new generation.
	Bytes int64 `json:"bytes,omitempty"`
}

// Run measures.
func (s Spec) Run() (Result, error) {
	ctx := context.Background()
	switch s.What {
	case Bare, BareTCP:
		return s.bare(ctx)
	case Cursor:
		return s.withLog(ctx, s.cursor)
	case Rebuild, Verify:
		return s.withLog(ctx, s.rebuild)
	case Refold:
		return s.refold(ctx)
	}
	return Result{}, fmt.Errorf("nothing to measure is called %q", s.What)
}

func (s Spec) withLog(ctx context.Context, measure func(context.Context, eventstore.Reader) (Result, error)) (Result, error) {
	log, err := s.History.Open(ctx)
	if err != nil {
		return Result{}, err
	}
	r, err := measure(ctx, log)
	return r, errors.Join(err, log.Close())
}

// timed fills in how long a work took and what it used.
func timed(r *Result, work func() error) error {
	cpu, start := processorTime(), time.Now()
	if err := work(); err != nil {
		return err
	}
	r.Took, r.CPU = time.Since(start), processorTime()-cpu
	memory, err := launch.MemoryOf(os.Getpid())
	r.Peak = memory.Peak
	return err
}

func processorTime() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used) // fails only for another first argument
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func (s Spec) bare(ctx context.Context) (Result, error) {
	srv, err := bare.Serve(s.History.Log(), s.What == BareTCP)
	if err != nil {
		return Result{}, err
	}
	defer srv.Stop()
	conn, err := srv.Connect()
	if err != nil {
		return Result{}, err
	}
	defer conn.Close()
	r := Result{Events: s.History.Events}
	var took time.Duration
	err = timed(&r, func() (err error) { _, took, err = bare.Read(ctx, conn); return err })
	r.Took = took // from the making of the consumer on
	return r, err
}

func (s Spec) cursor(ctx context.Context, log eventstore.Reader) (Result, error) {
	var r Result
	err := timed(&r, func() error {
		return history.Each(ctx, log, func(g *eventstore.Group) error { r.Events += len(g.Events); return nil })
	})
	return r, err
}

func (s Spec) rebuild(ctx context.Context, log eventstore.Reader) (r Result, err error) {
	definition, err := providers.Load("makini")
	if err != nil {
		return r, err
	}
	options := rebuild.Options{
		Dir: s.Dir, Log: log, Now: time.Now, Sum: s.What == Verify,
		Definitions: map[string]*providers.Definition{history.Source: definition},
	}
	var built rebuild.Result
	if err := timed(&r, func() (err error) { built, err = rebuild.Build(ctx, options); return err }); err != nil {
		return r, err
	}
	return r, s.judge(ctx, &r, &built)
}

func (s Spec) refold(ctx context.Context) (r Result, err error) {
	from, err := kv.Open(s.Serving, kv.Options{})
	if err != nil {
		return r, err
	}
	var built rebuild.Result
	err = timed(&r, func() (err error) {
		built, err = rebuild.Refold(ctx, from, rebuild.Options{Dir: s.Dir, Now: time.Now})
		return err
	})
	if err := errors.Join(err, from.Close()); err != nil {
		return r, err
	}
	return r, s.judge(ctx, &r, &built)
}

// judge finds out what the new generation says, and verifies the serving one by it.
func (s Spec) judge(ctx context.Context, r *Result, built *rebuild.Result) (err error) {
	if built.Quarantined > 0 || int(built.Events) != s.History.Events {
		return fmt.Errorf("%d events were taken in, %d of them quarantined; there are %d", built.Events, built.Quarantined, s.History.Events)
	}
	r.Events, r.Phases = int(built.Events), built.Took
	if s.Serving != "" {
		if err := s.digests(ctx, r, built.Written); err != nil {
			return err
		}
	}
	if r.States, err = states(s.Dir); err != nil {
		return err
	}
	r.Bytes, err = bytesIn(s.Dir)
	return err
}

// bytesIn adds up the files of a generation, which has no directories in it.
func bytesIn(dir string) (total int64, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			return 0, err
		}
		total += info.Size()
	}
	return total, err
}
