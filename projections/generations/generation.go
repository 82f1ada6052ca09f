package generations

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// generation is an open directory, closed when nobody holds it any more.
type generation struct {
	name      string
	db        *kv.DB
	projector *projections.Projector
	// damage is why its rows cannot be trusted, nil while they can. The Set's mu is held.
	damage error

	mu    sync.Mutex
	holds int // the Set's own hold, and one for each view
	idle  chan struct{}
}

// open opens a generation's directory, or begins it.
func (s *Set) open(name string) (*generation, error) {
	if err := s.marked(name); err != nil {
		return nil, err
	}
	o := s.o.KV
	o.Fatal = func(err error) { s.o.Fatal(s.path(name), err) }
	db, err := kv.Open(s.path(name), o)
	if err != nil {
		return nil, err
	}
	p, err := projections.NewProjector(db, s.o.Definitions)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &generation{name: name, db: db, projector: p, holds: 1, idle: make(chan struct{})}, nil
}

// marked is a kv.ErrDamaged for a generation that was found damaged before.
func (s *Set) marked(name string) error {
	_, err := os.Stat(s.path(name + DamagedMark))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(fmt.Errorf("%w: %s was found damaged while it was in use", kv.ErrDamaged, s.path(name)), err)
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
