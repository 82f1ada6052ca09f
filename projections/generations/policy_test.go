package generations_test

import (
	"testing"

	"github.com/tidemark-dev/tidemark/projections/generations"
)

// A rebuild that the policy began asks before it takes over where the policy has become one that asks, also
// by a restart; one that somebody asked for does not.
func TestThePolicyIsLookedAtBeforeTakingOver(t *testing.T) {
	for _, c := range []struct {
		name   string
		begin  func(r *rig, s *generations.Set)
		policy generations.Policy
		state  generations.State
	}{
		{"review", automatic, generations.ReviewFirst, generations.Review},
		{"off", automatic, generations.Off, generations.Review},
		{"rebuild as before", automatic, generations.Rebuild, generations.Promoted},
		{"asked for", paused(generations.Request{}), generations.ReviewFirst, generations.Promoted},
	} {
		for _, restarts := range []bool{false, true} {
			name := c.name
			if restarts {
				name += ", after a restart"
			}
			t.Run(name, func(t *testing.T) {
				r := newRig(t)
				said := r.noted()
				s := r.open()
				stop := r.run(s)
				r.caughtUp(s)
				c.begin(r, s)
				before := s.Path()
				if restarts {
					stop()
					s = r.with(func(o *generations.Options) { o.OnChange, o.Definitions = c.policy, s.Defined() })
					r.run(s)
				} else {
					r.put(s, s.Defined(), c.policy)
				}
				if _, err := s.Resume("last"); err != nil {
					t.Fatal(err)
				}
				j := r.state(s, c.state)
				if (s.Path() == before) != (c.state == generations.Review) || j.Request.Review != (c.state == generations.Review) {
					t.Errorf("%s serves, %s did; the rebuild is %+v", s.Path(), before, j)
				}
				if c.state != generations.Review {
					return
				}
				if !restarts && !said.has("waits for review: tidemark rebuild status") {
					t.Errorf("it says %s", said.all())
				}
				if _, err := s.Promote("last"); err != nil {
					t.Fatal(err)
				}
				r.state(s, generations.Promoted)
				r.outdated(s)
				if r.sum(s) != r.afresh(s.Defined()) {
					t.Error("it does not serve what the definitions make of the log")
				}
			})
		}
	}
}

// What waits for review is what the definitions in force make: a rebuild that was to take over with others, and is to
// wait now, makes room for one with them.
func TestWhatWaitsForReviewIsOfTheDefinitionsInForce(t *testing.T) {
	r := newRig(t)
	s := r.open()
	stop := r.run(s)
	r.caughtUp(s)
	r.put(s, r.all(variant(t, 0)), generations.ReviewFirst)
	j := r.state(s, generations.Review)
	stop()
	r.replace("rebuild.json", `"state": "review"`, `"state": "promoting"`)
	r.replace("rebuild.json", `"review": true`, `"review": false`)
	s = r.with(func(o *generations.Options) {
		o.OnChange, o.Definitions = generations.ReviewFirst, r.all(variant(t, 1))
	})
	r.run(s)
	r.eventually("another rebuild waits for review", func() bool {
		last, err := s.Job("last")
		return err == nil && last.ID != j.ID && last.State == generations.Review
	})
	if _, err := s.Promote("last"); err != nil {
		t.Fatal(err)
	}
	r.state(s, generations.Promoted)
	r.outdated(s)
	r.caughtUp(s)
}

// automatic lets the policy begin a rebuild, and it wait.
func automatic(r *rig, s *generations.Set) {
	for n := 0; ; n++ {
		r.put(s, r.all(variant(r.t, n)), generations.Rebuild)
		j, err := s.Pause("last")
		if err == nil && j.Request.Reason != "" {
			return
		}
		r.state(s, generations.Promoted) // it was faster
	}
}
