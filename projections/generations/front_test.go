package generations_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/projections/generations"
)

// What a rebuild writes down of itself can take the disk long. Whoever is served does not wait for it.
func TestNobodyWaitsForWhatARebuildWrites(t *testing.T) {
	r := newRig(t)
	var armed atomic.Bool
	entered, leave := make(chan struct{}), make(chan struct{})
	s := r.with(func(o *generations.Options) {
		o.Now = func() time.Time { // asked on the way to writing it down
			if armed.CompareAndSwap(true, false) {
				close(entered)
				<-leave
			}
			return time.Now()
		}
	})
	r.run(s)
	r.caughtUp(s)
	armed.Store(true)
	started := make(chan error, 1)
	go func() {
		_, err := s.Start(generations.Request{DryRun: true})
		started <- err
	}()
	<-entered
	served := make(chan error, 1)
	go func() {
		v, err := s.View()
		if err == nil {
			err = v.Close()
		}
		_, _, _, _, _ = s.Err(), s.Path(), s.Metrics(), s.Definitions(), s.Defined()
		served <- err
	}()
	select {
	case err := <-served:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(2 * time.Minute):
		t.Error("a query waits for a rebuild's state")
	}
	close(leave)
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	r.state(s, generations.Reported)
}

// Beside is told when a rebuild begins to compute and, before it waits for a review, that this is over.
func TestBeside(t *testing.T) {
	r := newRig(t)
	var under atomic.Int64
	s := r.with(func(o *generations.Options) {
		o.Beside = func() func() {
			under.Add(1)
			return func() { under.Add(-1) }
		}
	})
	r.run(s)
	r.caughtUp(s)
	for _, req := range []generations.Request{{Verify: true}, {Review: true}} {
		j, err := s.Start(req)
		if err != nil {
			t.Fatal(err)
		}
		if req.Review {
			r.state(s, generations.Review)
			r.eventually("nothing computes during a review", func() bool { return under.Load() == 0 })
			if _, err := s.Promote(j.ID); err != nil {
				t.Fatal(err)
			}
			r.state(s, generations.Promoted)
		} else {
			r.state(s, generations.Reported)
		}
		r.eventually("it is over", func() bool { return under.Load() == 0 })
	}
}
