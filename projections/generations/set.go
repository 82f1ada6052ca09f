package generations

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// Options configures a Set.
type Options struct {
	// Root is the directory that holds the generations.
	Root string
	// KV is how they are opened; its Fatal is replaced by Fatal below.
	KV  kv.Options
	Log eventstore.Reader
	// Definitions maps each source to what its events mean, until Redefine.
	Definitions map[string]*providers.Definition
	Now         func() time.Time
	Logger      *slog.Logger
	Metrics     *projections.Metrics
	// Hub is told what the serving generation's batches change.
	Hub *projections.Hub
	// Fatal is called where a directory cannot go on (a full disk, a failed fsync,
	// damage found in the background). It must not return.
	Fatal func(path string, err error)
	// Batch bounds the events of a live batch; 0 for projections.DefaultBatch.
	Batch int
	// OnChange says what is done about other definitions, at a start and by Redefine; "" for Rebuild.
	OnChange Policy
	// Room, if not nil, says why a rebuild must not take more of the disk. It is asked often.
	Room func() error
	// Cores is on how many a rebuild computes at a time; 0 for all but one of those that Go runs on, which is too
	// many where Go was told to run on more than there are.
	Cores int
	// Aside, if not nil, is called by the goroutine that follows the log and by each that a rebuild computes in: see rebuild.Options.
	Aside func()
	// Rest, if not nil, is where its goroutines wait while others are to have the processors: see rebuild.Options.
	Rest func()
	// Beside, if not nil, is called when a rebuild begins to compute, on Cores, and what it
	// returned when that is over.
	Beside func() (over func())
}

// Set is the serving generation, the one before it, and the rebuild under way, if any.
type Set struct {
	o Options

	// mu guards all, also over writes to the disk, which can take long while a rebuild writes. So what
	// every query and every webhook asks for (serving, runner, its damage, and definitions) changes with
	// front held too, which is held over nothing that takes time.
	mu, front sync.Mutex
	// definitions are those in force: new generations are made with them. previousBy and jobBy
	// are those of the generation before the serving one and of the rebuild under way.
	definitions, previousBy, jobBy map[string]*providers.Definition

	current current
	serving *generation
	runner  *projections.Runner
	retired sync.WaitGroup

	job         Job
	reconsider  string // "" but where something changed while a job that goes on, or a rollback, was under way: then outdated's serves
	control     control
	rollingBack bool
	retries     int             // of the quarantine, under way
	settling    bool            // it is not known yet up to where ids of an earlier life say nothing
	healed      bool            // a rebuild was begun because of damage
	left        map[string]bool // damaged generations that the log was told of
	// turns carries what has to have the serving generation for itself, and work a job to be done.
	turns chan turn
	work  chan struct{}
}

// turn asks Run to stop following the log, and goes on when it is done.
type turn struct {
	do   func(context.Context) error
	done chan error
}

// Open opens the serving generation. Where it is damaged, or of another version,
// the next one is filled from the log instead; the newest damaged directory is left to
// look at, and said to be there at each start. It starts nothing.
func Open(o Options) (*Set, error) {
	if err := os.MkdirAll(o.Root, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the projections: %w", err)
	}
	if o.Cores <= 0 {
		o.Cores = max(1, runtime.GOMAXPROCS(0)-1)
	}
	s := &Set{o: o, definitions: o.Definitions, jobBy: o.Definitions, turns: make(chan turn), work: make(chan struct{}, 1), left: map[string]bool{}}
	if err := s.loadCurrent(); err != nil {
		return nil, err
	}
	if err := s.loadJob(); err != nil {
		return nil, err
	}
	s.settleJob()
	g, err := s.open(s.current.Serving)
	if unusable(err) {
		name := s.nextName()
		o.Logger.Warn("the projections cannot be used and are made anew from the log, in a directory beside them", slog.Any("error", err), slog.Any("old", s.path(s.current.Serving)), slog.Any("new", name))
		s.current = current{Serving: name, Previous: s.current.Previous, Unsettled: true}
		s.giveUpRefold()
		g, err = s.open(name)
	}
	if err != nil {
		return nil, err
	}
	s.serving = g
	s.serve(g)
	s.tellHub()
	if err := writeFile(s.path(currentFile), s.current); err != nil {
		return nil, errors.Join(fmt.Errorf("say which projections serve: %w", err), s.Close())
	}
	s.tidy()
	s.outdated(atStart)
	return s, nil
}

func unusable(err error) bool {
	return errors.Is(err, kv.ErrDamaged) || errors.Is(err, projections.ErrOtherVersion) || errors.Is(err, projections.ErrUnfinished)
}

// serve makes a generation the one that follows the log. s.mu is held, or nobody else has s yet.
func (s *Set) serve(g *generation) {
	g.projector.Hub = s.o.Hub
	runner := projections.NewRunner(projections.RunnerOptions{
		Log: s.o.Log, Projector: g.projector, Batch: s.o.Batch, Logger: s.o.Logger, Metrics: s.o.Metrics})
	s.front.Lock()
	s.serving, s.runner = g, runner
	s.front.Unlock()
}

// hold returns the serving generation, which stays open until it is released.
func (s *Set) hold() *generation {
	s.front.Lock()
	defer s.front.Unlock()
	s.serving.hold()
	return s.serving
}

// Close closes the serving generation after the last view. Call it after Run returned.
func (s *Set) Close() error {
	s.retired.Wait()
	return s.serving.close()
}

// View returns a view of the serving generation's last batch. The caller closes it.
func (s *Set) View() (*projections.View, error) {
	g := s.hold()
	v, err := projections.NewView(g.db)
	if err != nil {
		g.release()
		return nil, err
	}
	v.OnClose(g.release)
	return v, nil
}

// Path is the directory of the serving generation.
func (s *Set) Path() string {
	s.front.Lock()
	defer s.front.Unlock()
	return s.path(s.serving.name)
}

// Metrics samples the serving generation's directory.
func (s *Set) Metrics() kv.Metrics {
	g := s.hold()
	defer g.release()
	return g.db.Metrics()
}

// Checkpoint is what the serving generation has read of the log, before Run.
func (s *Set) Checkpoint() projections.Checkpoint { return s.serving.projector.Checkpoint() }

// CheckTail compares the log with what the serving generation has read of it, before Run.
func (s *Set) CheckTail(ctx context.Context) error {
	return projections.CheckTail(ctx, s.o.Log, s.serving.projector.Checkpoint())
}

// Err returns why the serving generation does not follow the log, nil while it
// does, like projections.Runner.Err.
func (s *Set) Err() error {
	s.front.Lock()
	defer s.front.Unlock()
	if s.serving.damage != nil {
		return s.serving.damage
	}
	return s.runner.Err()
}

// Run follows the log with the serving generation, carries out rebuilds beside
// it, and lets their generations take over, until ctx ends. A projection that stops for good
// is reported by Err, and queries and rebuilds go on.
func (s *Set) Run(ctx context.Context) error {
	var jobs sync.WaitGroup
	jobCtx, stopJobs := context.WithCancel(ctx)
	defer func() { stopJobs(); jobs.Wait() }()
	jobs.Go(func() { s.runJobs(jobCtx) })
	jobs.Go(func() { s.settle(jobCtx) })
	for {
		s.mu.Lock()
		runner := s.runner
		s.mu.Unlock()
		runCtx, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() {
			if s.o.Aside != nil {
				s.o.Aside()
			}
			ended <- runner.Run(runCtx)
		}()
		var next turn
		select {
		case <-ctx.Done():
			stop()
			return <-ended
		case next = <-s.turns:
			stop()
			if err := <-ended; err != nil { // Err says so too
				s.o.Logger.Debug("the projection had stopped", slog.Any("error", err))
			}
		case err := <-ended:
			stop()
			if err != nil {
				s.o.Logger.Error("the projection stands still; queries go on", slog.Any("error", err))
				s.Damaged(err)
			}
			select {
			case <-ctx.Done():
				return err
			case next = <-s.turns:
			}
		}
		next.done <- next.do(ctx)
	}
}

// takeOver brings a generation to where the serving one stands, so that no
// reader sees the log go back, and lets it serve. The serving one's runner is stopped. declined, if not nil, are the
// definitions that are decided against with what serves: they, and this code, begin no rebuild by themselves.
func (s *Set) takeOver(ctx context.Context, g *generation, declined map[string]string) error {
	old := s.serving
	if err := s.complete(g); err != nil {
		return err
	}
	if err := catchUp(ctx, s.o.Log, g.projector, old.projector.Checkpoint().Position); err != nil {
		return err
	}
	at := g.projector.Checkpoint().Position
	s.mu.Lock()
	next := current{Serving: g.name, Previous: old.name, At: max(at, s.current.At), Unsettled: s.current.Unsettled}
	if declined != nil {
		next.decline(declined)
	}
	if old.damage != nil {
		next.Previous = "" // nothing to go back to
	}
	if err := writeFile(s.path(currentFile), next); err != nil {
		s.mu.Unlock()
		return fmt.Errorf("say which projections serve: %w", err)
	}
	old.projector.Hub = nil
	s.current, s.previousBy = next, old.definitions
	s.serve(g)
	s.mu.Unlock()
	if s.o.Hub != nil {
		s.o.Hub.Replaced(at)
	}
	s.retired.Go(func() {
		if err := old.close(); err != nil {
			s.o.Logger.Warn("the former projections did not close", slog.Any("error", err))
		}
	})
	return nil
}

// catchUp applies the log up to a position with a projector that nothing else uses.
func catchUp(ctx context.Context, log eventstore.Reader, p *projections.Projector, to uint64) error {
	if p.Checkpoint().Position >= to {
		return nil
	}
	cursor, err := log.Follow(ctx, eventstore.Position(p.Checkpoint().Position))
	if err != nil {
		return err
	}
	defer func() { _ = cursor.Close() }()
	for at := p.Checkpoint().Position; at < to; {
		g, err := cursor.Next(ctx)
		if errors.Is(err, eventstore.ErrIdle) {
			continue
		}
		if err != nil {
			return err
		}
		if err := p.Add(&g); err != nil {
			return err
		}
		at = uint64(g.Position)
		if p.Pending() >= projections.DefaultBatch || at == to {
			if err := p.Commit(); err != nil {
				return err
			}
		}
	}
	return nil
}
