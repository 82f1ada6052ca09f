package generations_test

import (
	"context"
	"sync"
	"testing"

	"github.com/tidemark-dev/tidemark/projections/generations"
)

// asked is a context that tells when somebody first waits for its end.
type asked struct {
	context.Context
	waits func()
}

func (c asked) Done() <-chan struct{} {
	c.waits()
	return c.Context.Done()
}

// Definitions that change while a rollback is under way are not what it decided against:
// their rebuild is begun behind it.
func TestRedefineDuringARollback(t *testing.T) {
	r := newRig(t)
	s := r.open()
	r.run(s)
	r.caughtUp(s)
	v, err := s.View() // holds the generation that is gone back to: the rollback waits for it
	if err != nil {
		t.Fatal(err)
	}
	former := s.Path()
	if _, err := s.Start(generations.Request{}); err != nil {
		t.Fatal(err)
	}
	was := r.state(s, generations.Promoted).ID

	underWay, done := make(chan struct{}), make(chan error, 1)
	ctx := asked{t.Context(), sync.OnceFunc(func() { close(underWay) })}
	go func() {
		_, _, err := s.Rollback(ctx)
		done <- err
	}()
	<-underWay
	after := r.all(mended(t))
	r.put(s, after, generations.Rebuild)
	if j, err := s.Job("last"); err != nil || j.ID != was {
		t.Fatalf("a rebuild beside the rollback: %+v, %v", j, err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	j, err := s.Job("last")
	if err != nil || j.ID == was {
		t.Fatalf("no rebuild is begun behind the rollback: %+v, %v", j, err)
	}
	r.state(s, generations.Promoted)
	r.outdated(s)
	if s.Path() == former || r.sum(s) != r.afresh(after) {
		t.Error("it does not serve what the definitions make of the log")
	}
}
