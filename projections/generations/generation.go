package generations

import (
	"errors"
	"sync"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// generation is an open directory, closed when nobody holds it any more.
type generation struct {
	name      string
	db        *kv.DB
	projector *projections.Projector
	// definitions are what its events are read by, and outdated is the projector's Outdated.
	// Of the serving generation they change with the Set's mu held.
	definitions map[string]*providers.Definition
	outdated    []string
	// versions are those of the projections that its rows were made by.
	versions map[string]int
	// damage is why its rows cannot be trusted, nil while they can. The Set's mu is held.
	damage error

	mu    sync.Mutex
	holds int // the Set's own hold, and one for each view
	idle  chan struct{}
}

// open opens a generation's directory, or begins it. One that turns out to be
// damaged is marked, so that tidy leaves it.
func (s *Set) open(name string) (*generation, error) { return s.openTo(name, false, false) }

// openTo is open. counted says that this process has just made the generation and counted all its rows; still is for one
// that is only looked at and then removed.
func (s *Set) openTo(name string, counted, still bool) (*generation, error) {
	if err := s.marked(name); err != nil {
		return nil, err
	}
	g, err := s.openUnmarked(name, counted, still)
	if errors.Is(err, kv.ErrDamaged) {
		if failed := s.mark(name, err); failed != nil {
			return nil, failed
		}
	}
	return g, err
}

func (s *Set) openUnmarked(name string, counted, still bool) (*generation, error) {
	o := s.o.KV
	o.Still = still
	o.Fatal = func(err error) { s.o.Fatal(s.path(name), err) }
	db, err := kv.Open(s.path(name), o)
	if err != nil {
		return nil, err
	}
	made, _, err := projections.LoadGeneration(db.Reader)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if !counted && made.Format == projections.Format { // of another one it is not read
		if err := projections.CheckWhole(db.Reader, made.Checkpoint.Position); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	p, err := projections.NewProjector(db, s.definitionsOf(made.Definitions))
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	g := &generation{name: name, db: db, projector: p, versions: made.Projections, holds: 1, idle: make(chan struct{})}
	g.note()
	return g, nil
}

// note takes from the projector what its events are read by. The projector must not be in use.
func (g *generation) note() {
	g.definitions, g.outdated = g.projector.Definitions(), g.projector.Outdated()
}

func (g *generation) hold() {
	g.mu.Lock()
	g.holds++
	g.mu.Unlock()
}

func (g *generation) release() {
	g.mu.Lock()
	g.holds--
	if g.holds == 0 {
		close(g.idle)
	}
	g.mu.Unlock()
}

// close gives up the Set's hold, waits for the views, and closes the directory.
func (g *generation) close() error {
	g.release()
	<-g.idle
	return errors.Join(g.projector.Close(), g.db.Close())
}
