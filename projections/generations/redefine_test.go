package generations_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/generations"
	"github.com/tidemark-dev/tidemark/projections/projectiontest"
	"github.com/tidemark-dev/tidemark/projections/rebuild"
)

// notes is a log that may be read while it is written.
type notes struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.b.Write(p)
}

func (n *notes) has(words string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Contains(n.b.String(), words)
}

func (r *rig) noted() *notes {
	n := new(notes)
	r.logs = slog.NewTextHandler(n, nil)
	return n
}

// all gives every source of the rig one definition.
func (r *rig) all(d *providers.Definition) map[string]*providers.Definition {
	defs := maps.Clone(r.defs)
	for source := range defs {
		defs[source] = d
	}
	return defs
}

func (r *rig) put(s *generations.Set, defs map[string]*providers.Definition, p generations.Policy) {
	r.t.Helper()
	if err := s.Redefine(r.t.Context(), defs, p); err != nil {
		r.t.Fatal(err)
	}
}

// outdated fails unless these sources are said to be.
func (r *rig) outdated(s *generations.Set, want ...string) {
	r.t.Helper()
	if got := s.Status().Outdated; !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		r.t.Errorf("outdated are %v, want %v", got, want)
	}
}

// applied waits until the serving generation stands at the head.
func (r *rig) applied(s *generations.Set) {
	r.t.Helper()
	r.eventually("the head is reached", func() bool { return r.position(s) == uint64(r.groups) })
}

// sum is the digest of what serves, at the head.
func (r *rig) sum(s *generations.Set) string {
	r.t.Helper()
	r.applied(s)
	v, err := s.View()
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	sum, err := rebuild.Digest(r.t.Context(), v)
	if err != nil {
		r.t.Fatal(err)
	}
	return sum.SHA256
}

// afresh is the digest of what these definitions make of the whole log.
func (r *rig) afresh(defs map[string]*providers.Definition) string {
	r.t.Helper()
	dir := filepath.Join(r.t.TempDir(), "afresh")
	s := r.with(func(o *generations.Options) { o.Root, o.Definitions = dir, defs })
	stop := r.run(s)
	defer stop()
	return r.sum(s)
}

// What serves is at any time what one set of definitions makes of the log: the
// former one until the generation of the new one takes over, whatever comes in between.
func TestRedefine(t *testing.T) {
	r := newRig(t)
	said := r.noted()
	s := r.open()
	r.run(s)
	r.caughtUp(s)
	names := slices.Collect(maps.Keys(r.defs))
	before, after := r.defs, r.all(mended(t))

	r.put(s, after, generations.Off)
	r.outdated(s, names...)
	if !said.has("go on serving, and read new events by them; to make new ones: tidemark rebuild") {
		t.Error("what changed is not said")
	}
	r.more(40)
	r.caughtUp(s) // the oracle knows the former meaning alone
	if r.sum(s) != r.afresh(before) || r.sum(s) == r.afresh(after) {
		t.Error("it does not serve what the former definitions make of the log")
	}
	if _, err := s.Start(generations.Request{Verify: true}); err != nil {
		t.Fatal(err)
	}
	if v := r.state(s, generations.Reported).Verified; !v.Equal || len(v.Outdated) > 0 {
		t.Errorf("a verification by the definitions of what serves finds %t, %v, %s", v.Equal, v.Outdated, v.First)
	}
	if got, err := s.RetryQuarantine(t.Context()); err != nil || got.Placed != 0 || len(got.Outdated) != len(names) {
		t.Errorf("a retry of the quarantine: %+v, %v", got, err)
	}

	// There and back is no change.
	r.put(s, before, generations.Rebuild)
	r.outdated(s)
	if j, _ := s.Job("last"); !j.Request.Verify {
		t.Errorf("going back to what serves begins %+v", j)
	}

	r.put(s, after, generations.Rebuild)
	j := r.state(s, generations.Promoted)
	if j.Report.Changed == 0 || !strings.HasPrefix(j.Request.Reason, "changed definitions: ") {
		t.Errorf("the rebuild is %+v", j)
	}
	r.outdated(s)
	r.more(40)
	if r.sum(s) != r.afresh(after) {
		t.Error("it does not serve what the new definitions make of the log")
	}

	// A rollback is one to the former definitions too, as long as they are at hand.
	if _, _, err := s.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.outdated(s, names...)
	r.more(40)
	r.caughtUp(s)
	r.put(s, after, generations.Rebuild)
	if said.has("was cancelled") {
		t.Error("what is in force already is put in force once more")
	}
	r.put(s, after, generations.ReviewFirst)
	if !said.has("was cancelled or rolled back, so none is begun") {
		t.Error("what was rolled back begins again by itself, or nothing is said")
	}
	// A restart has the new ones alone, and makes it good with a rebuild.
	if _, err := s.Start(generations.Request{}); err != nil {
		t.Fatal(err)
	}
	r.eventually("it takes over", func() bool { return len(s.Status().Outdated) == 0 })
	if r.sum(s) != r.afresh(after) {
		t.Error("after the second rebuild it does not serve what the new definitions make of the log")
	}
}

// fresh gives the log events of a source that it had none of.
func (r *rig) fresh(n int) {
	shape := r.shape
	shape.Events, shape.Sources, shape.Broken = n, 1, 0
	events := projectiontest.Draw(r.rng, shape)
	for i := range events {
		events[i].Source = "fresh"
	}
	for _, g := range projectiontest.Groups(r.rng, events, 4) {
		p := r.log.AppendGroup(g)
		for i, e := range g {
			r.oracle.Add(e, uint64(p), i)
		}
		r.groups++
	}
}

func (r *rig) and(source string, d *providers.Definition) map[string]*providers.Definition {
	defs := maps.Clone(r.defs)
	defs[source] = d
	return defs
}

// A source that is new has nothing that would have to be made anew, and may be defined
// as often as it takes, until it has its first event.
func TestRedefineANewSource(t *testing.T) {
	r := newRig(t)
	s := r.open()
	r.run(s)
	r.caughtUp(s)
	makini := r.defs[slices.Sorted(maps.Keys(r.defs))[0]]
	for _, d := range []*providers.Definition{variant(t, 1), mended(t), makini} {
		r.put(s, r.and("fresh", d), generations.Rebuild)
		r.outdated(s)
	}
	r.fresh(20)
	r.caughtUp(s)
	if st := s.Status(); st.Job != nil {
		t.Errorf("a rebuild was begun: %+v", st.Job)
	}
	r.put(s, r.and("fresh", mended(t)), generations.Off)
	r.outdated(s, "fresh")

	// Gone, it keeps its connections, and what is still on its way to the log is read.
	r.put(s, r.defs, generations.Rebuild)
	r.outdated(s)
	r.fresh(20)
	r.caughtUp(s)
	if st := s.Status(); st.Job != nil {
		t.Errorf("a rebuild was begun: %+v", st.Job)
	}
	// A rebuild would take them away, so it asks first.
	r.put(s, r.all(variant(t, 1)), generations.Rebuild)
	if j := r.state(s, generations.Review); j.Report.Removed > 0 {
		t.Logf("removed: %d", j.Report.Removed)
	} else {
		t.Errorf("report %+v: nothing is removed without the source", j.Report)
	}
	// It comes back: the review is given up, and the next one loses nothing.
	back := r.all(variant(t, 1))
	back["fresh"] = makini
	r.put(s, back, generations.Rebuild)
	r.state(s, generations.Promoted)
	r.outdated(s)
	if r.sum(s) != r.afresh(back) {
		t.Error("it does not serve what the definitions make of the log")
	}
}

// Events of a source that came before it was defined stand in the quarantine: they are taken in.
func TestRedefineTakesTheQuarantineIn(t *testing.T) {
	r := newRig(t)
	s := r.open()
	r.run(s)
	r.caughtUp(s)
	r.fresh(20)
	r.applied(s)
	if v, err := s.View(); err != nil || v.Stats().BySource["fresh"] != 0 {
		t.Fatalf("a source without a definition has connections (%v)", err)
	} else if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	r.put(s, r.and("fresh", r.defs[slices.Sorted(maps.Keys(r.defs))[0]]), generations.Rebuild)
	if j := r.state(s, generations.Promoted); j.Report.Added == 0 || !strings.Contains(j.Request.Reason, "fresh") {
		t.Errorf("%+v", j)
	}
	r.outdated(s)
	r.fresh(20)
	r.caughtUp(s)
}

// A rebuild under way is given up for one with the definitions in force, wherever it stands.
func TestRedefineGivesARebuildUp(t *testing.T) {
	for _, c := range []struct {
		name    string
		begin   func(r *rig, s *generations.Set)
		defs    func(r *rig) map[string]*providers.Definition
		policy  generations.Policy
		end     generations.State // of the last rebuild
		another bool              // it is another one than was begun
		review  bool
	}{
		{"in review", func(r *rig, s *generations.Set) {
			r.put(s, r.all(variant(r.t, 1)), generations.ReviewFirst)
			r.state(s, generations.Review)
		}, func(r *rig) map[string]*providers.Definition { return r.all(mended(r.t)) }, generations.Rebuild, generations.Promoted, true, false},
		{"being built", paused(generations.Request{}), func(r *rig) map[string]*providers.Definition { return r.all(mended(r.t)) },
			generations.Rebuild, generations.Promoted, true, false},
		{"for a source more", paused(generations.Request{Review: true}), func(r *rig) map[string]*providers.Definition { return r.and("fresh", mended(r.t)) },
			generations.Rebuild, generations.Review, true, true},
		{"not a comparison by the former ones", paused(generations.Request{Verify: true}), func(r *rig) map[string]*providers.Definition { return r.all(mended(r.t)) },
			generations.Off, generations.Reported, false, false},
		{"nor by a policy that waits to be asked", paused(generations.Request{}), func(r *rig) map[string]*providers.Definition { return r.all(mended(r.t)) },
			generations.Off, generations.Cancelled, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			s := r.open()
			r.run(s)
			r.caughtUp(s)
			c.begin(r, s)
			first, err := s.Job("last")
			if err != nil {
				t.Fatal(err)
			}
			defs := c.defs(r)
			r.put(s, defs, c.policy)
			if !c.another && c.end == generations.Reported {
				if _, err := s.Resume(first.ID); err != nil {
					t.Fatal(err)
				}
			}
			j := r.state(s, c.end)
			if (j.ID != first.ID) != c.another || j.Request.Review != c.review {
				t.Errorf("begun was %+v, and the end is %+v", first, j)
			}
			if c.end == generations.Promoted {
				r.outdated(s)
				if r.sum(s) != r.afresh(defs) {
					t.Error("it does not serve what the definitions make of the log")
				}
			}
			if c.end == generations.Reported && !j.Verified.Equal {
				t.Errorf("the verification says %s", j.Verified.First)
			}
		})
	}
}

// paused begins a rebuild and lets it wait.
func paused(request generations.Request) func(r *rig, s *generations.Set) {
	return func(r *rig, s *generations.Set) {
		for {
			j, err := s.Start(request)
			if err != nil {
				r.t.Fatal(err)
			}
			_, err = s.Pause(j.ID)
			if err == nil {
				return
			}
			if !errors.Is(err, generations.ErrState) {
				r.t.Fatal(err)
			}
			r.eventually("it ends", func() bool { j, _ := s.Job("last"); return j.State.Ended() }) // it was faster
		}
	}
}

// Definitions that change while a comparison is under way have their rebuild behind it.
func TestRedefineBehindAComparison(t *testing.T) {
	r := newRig(t)
	s := r.open()
	r.run(s)
	r.caughtUp(s)
	paused(generations.Request{Verify: true})(r, s)
	after := r.all(mended(t))
	r.put(s, after, generations.Rebuild)
	if _, err := s.Resume("last"); err != nil {
		t.Fatal(err)
	}
	r.state(s, generations.Promoted)
	if r.sum(s) != r.afresh(after) {
		t.Error("it does not serve what the definitions make of the log")
	}
}

// A rebuild that is begun in the place of a cancelled one is not taken for it.
func TestOneRebuildBehindAnother(t *testing.T) {
	r := newRig(t)
	s := r.open()
	r.run(s)
	r.caughtUp(s)
	for range 6 {
		for range 2 {
			if _, err := s.Start(generations.Request{}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Cancel("last"); err != nil && !errors.Is(err, generations.ErrState) {
				t.Fatal(err)
			}
			r.eventually("it ends", func() bool { j, _ := s.Job("last"); return j.State.Ended() }) // one that was faster
		}
		if _, err := s.Start(generations.Request{}); err != nil {
			t.Fatal(err)
		}
		r.state(s, generations.Promoted)
	}
	r.caughtUp(s)
}

// Where events of a source were read by two definitions, going back to the first
// one does not make the directory one of a single definition again.
func TestThereAndBackOverRestarts(t *testing.T) {
	r := newRig(t)
	before, after := r.defs, r.all(mended(t))
	off := func(defs map[string]*providers.Definition) (*generations.Set, func()) {
		s := r.with(func(o *generations.Options) { o.Definitions, o.OnChange = defs, generations.Off })
		return s, r.run(s)
	}
	s, stop := off(before)
	r.caughtUp(s)
	stop()
	s, stop = off(after)
	r.outdated(s, slices.Collect(maps.Keys(r.defs))...)
	stop()
	s, stop = off(before) // no event came in between
	r.outdated(s)
	r.caughtUp(s)
	stop()
	s, stop = off(after)
	r.more(40)
	r.applied(s)
	r.put(s, before, generations.Off)
	r.outdated(s, slices.Collect(maps.Keys(r.defs))...)
	stop()
	s, stop = off(before)
	defer stop()
	r.outdated(s, slices.Collect(maps.Keys(r.defs))...)
	if _, err := s.Start(generations.Request{}); err != nil {
		t.Fatal(err)
	}
	r.state(s, generations.Promoted)
	r.outdated(s)
	r.caughtUp(s)
}

// Definitions change all the time, while events come in: in the end what serves is
// what the last ones make of the log.
func TestRedefineOverAndOver(t *testing.T) {
	r := newRig(t)
	s := r.open()
	r.run(s)
	var last map[string]*providers.Definition
	for n := range 25 {
		last = r.all(variant(t, n))
		if n%3 == 0 {
			last = r.all(mended(t))
		}
		if n%5 > 1 {
			last[fmt.Sprintf("more_%d", n%2)] = mended(t)
		}
		r.put(s, last, generations.Rebuild)
		r.more(5)
		if n%4 == 0 {
			r.eventually("the last rebuild ends", func() bool { j, err := s.Job("last"); return err != nil || j.State.Ended() })
		}
	}
	r.eventually("nothing is outdated", func() bool { return len(s.Status().Outdated) == 0 })
	r.eventually("the last rebuild ends", func() bool { j, err := s.Job("last"); return err != nil || j.State.Ended() })
	if r.sum(s) != r.afresh(last) {
		t.Error("it does not serve what the last definitions make of the log")
	}
}
