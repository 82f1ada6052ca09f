package generations_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/generations"
)

// with opens a set with other options than the rig's.
func (r *rig) with(change func(*generations.Options)) *generations.Set {
	r.t.Helper()
	o := generations.Options{
		Root: r.root, Log: r.log, Definitions: r.defs, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		Fatal: func(path string, err error) { panic(fmt.Sprint(path, err)) },
	}
	change(&o)
	s, err := generations.Open(o)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// variant is makini with a rule more for a type that nobody sends: another mapping that
// reads the rig's events alike.
func variant(t *testing.T, n int) *providers.Definition {
	src, err := os.ReadFile("../../ingest/providers/makini.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d, err := providers.Parse("makini-variant", append(src, fmt.Sprintf("\n    - {name: variant %d, type: variant, set: {}}\n", n)...))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// redefine gives every source another definition.
func (r *rig) redefine(d *providers.Definition) {
	defs := map[string]*providers.Definition{}
	for source := range r.defs {
		defs[source] = d
	}
	r.defs = defs
}

func TestWhatAStartDoesWithOtherDefinitions(t *testing.T) {
	for _, c := range []struct {
		policy generations.Policy
		state  generations.State // of the rebuild that begins; "" for none
		says   string
	}{
		{"", generations.Promoted, "take over when they are complete"},
		{generations.Rebuild, generations.Promoted, "take over when they are complete"},
		{generations.ReviewFirst, generations.Review, "wait for review: tidemark rebuild status"},
		{generations.Off, "", "to make new ones: tidemark rebuild"},
	} {
		t.Run(string(c.policy), func(t *testing.T) {
			r := newRig(t)
			s := r.open()
			stop := r.run(s)
			r.caughtUp(s)
			stop()
			r.redefine(variant(t, 1))
			var said bytes.Buffer
			s = r.with(func(o *generations.Options) {
				o.OnChange, o.Logger = c.policy, slog.New(slog.NewTextHandler(&said, nil))
			})
			if !strings.Contains(said.String(), "go on serving") || !strings.Contains(said.String(), c.says) {
				t.Errorf("it says %q, and not %q", said.String(), c.says)
			}
			if st := s.Status(); len(st.Outdated) != len(r.defs) || (st.Job == nil) != (c.state == "") {
				t.Errorf("status %+v", st)
			}
			r.run(s)
			if c.state != "" {
				r.state(s, c.state)
			}
			r.caughtUp(s)
			if c.state == generations.Promoted {
				if st := s.Status(); len(st.Outdated) != 0 || st.Previous != "g000001" {
					t.Errorf("after it took over: %+v", st)
				}
			}
		})
	}
}

// Who decides against new definitions is not asked again at each start, but is
// about yet others.
func TestDeclinedDefinitions(t *testing.T) {
	r := newRig(t)
	s := r.open()
	stop := r.run(s)
	r.caughtUp(s)
	stop()

	r.redefine(variant(t, 1))
	s = r.open()
	if _, err := s.Cancel("last"); err != nil {
		t.Fatal(err)
	}
	stop = r.run(s)
	stop()
	s = r.open()
	if j, err := s.Job("last"); err != nil || j.State != generations.Cancelled {
		t.Fatalf("after a cancelled rebuild the next start begins %+v (%v)", j, err)
	}
	stop = r.run(s)
	stop()

	r.redefine(variant(t, 2))
	s = r.open()
	stop = r.run(s)
	first := r.state(s, generations.Promoted)
	stop()

	// What took over serves after a restart, and the one before is kept.
	s = r.open()
	if st := s.Status(); st.Serving != first.Generation || st.Previous == "" {
		t.Fatalf("after a restart %+v, and %s took over", st, first.Generation)
	}
	stop = r.run(s)
	r.caughtUp(s)
	if _, _, err := s.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.caughtUp(s)
	stop()
	s = r.open()
	if st := s.Status(); st.Job.ID != first.ID || len(st.Outdated) == 0 {
		t.Fatalf("after a rollback the next start begins %+v", st.Job)
	}
	stop = r.run(s)
	second, err := s.Start(generations.Request{})
	if err != nil || second.ID == first.ID || second.Generation == first.Generation {
		t.Fatalf("another rebuild is %+v (%v), the first was %+v", second, err, first)
	}
	r.state(s, generations.Promoted)
	r.caughtUp(s)
	stop()
}

func TestAStartWithoutASourceAsksFirst(t *testing.T) {
	r := newRig(t)
	s := r.open()
	stop := r.run(s)
	r.caughtUp(s)
	stop()
	var names []string
	for source := range r.defs {
		names = append(names, source)
	}
	if len(names) < 2 {
		t.Fatal("the rig has one source, and this takes two")
	}
	r.redefine(variant(t, 1))
	delete(r.defs, names[0])
	s = r.open()
	r.run(s)
	j := r.state(s, generations.Review)
	if j.Report.Removed == 0 {
		t.Errorf("report %+v: nothing is removed without the source %s", j.Report, names[0])
	}
}

// A rebuild that was begun with other definitions is not gone on with.
func TestDefinitionsChangeAgain(t *testing.T) {
	r := newRig(t)
	s := r.open()
	stop := r.run(s)
	r.caughtUp(s)
	j, err := s.Start(generations.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Pause(j.ID); err != nil && !errors.Is(err, generations.ErrState) {
		t.Fatal(err)
	}
	stop()
	r.redefine(variant(t, 1))
	s = r.open()
	r.run(s)
	if got := r.state(s, generations.Promoted); got.ID == j.ID {
		t.Errorf("%+v took over", got)
	}
	if len(s.Status().Outdated) != 0 {
		t.Errorf("outdated %v", s.Status().Outdated)
	}
	r.caughtUp(s)
}

// What a crash leaves between taking over and saying so.
func TestACrashBehindTheSwap(t *testing.T) {
	r := newRig(t)
	s := r.open()
	stop := r.run(s)
	r.caughtUp(s)
	if _, err := s.Start(generations.Request{}); err != nil {
		t.Fatal(err)
	}
	j := r.state(s, generations.Promoted)
	stop()
	file := filepath.Join(r.root, "rebuild.json")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before := bytes.Replace(b, []byte(`"state": "promoted"`), []byte(`"state": "promoting"`), 1)
	if bytes.Equal(b, before) {
		t.Fatalf("no state in %s", b)
	}
	if err := os.WriteFile(file, before, 0o600); err != nil {
		t.Fatal(err)
	}
	s = r.open()
	r.run(s)
	if got, err := s.Job(j.ID); err != nil || got.State != generations.Promoted || s.Status().Serving != j.Generation {
		t.Errorf("%+v, %+v, %v", got, s.Status(), err)
	}
	r.caughtUp(s)
}

func TestARebuildEndsBeforeTheDiskIsFull(t *testing.T) {
	r := newRig(t)
	var full atomic.Bool
	s := r.with(func(o *generations.Options) {
		o.Room = func() error {
			if full.Load() {
				return eventstore.ErrDiskLow
			}
			return nil
		}
	})
	r.run(s)
	r.caughtUp(s)
	full.Store(true)
	if _, err := s.Start(generations.Request{}); err != nil {
		t.Fatal(err)
	}
	j := r.state(s, generations.Failed)
	if !strings.Contains(j.Error, "before it fills the disk") || j.Integrity {
		t.Errorf("%+v", j)
	}
	r.eventually("what it made is gone", func() bool {
		_, err := os.Stat(filepath.Join(r.root, j.Generation))
		return errors.Is(err, os.ErrNotExist)
	})
	full.Store(false)
	if _, err := s.Start(generations.Request{}); err != nil {
		t.Fatal(err)
	}
	r.state(s, generations.Promoted)
	r.caughtUp(s)
}

// A generation that was found damaged while it was being made is not gone on with.
func TestADamagedRebuildIsGivenUp(t *testing.T) {
	r := newRig(t)
	s := r.open()
	j, err := s.Start(generations.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.root, j.Generation+generations.DamagedMark), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.run(s)
	if j = r.state(s, generations.Failed); !strings.Contains(j.Error, "found damaged") {
		t.Errorf("%+v", j)
	}
	r.caughtUp(s)
	if again, err := s.Start(generations.Request{}); err != nil || again.Generation == j.Generation {
		t.Fatalf("%+v, %v", again, err)
	}
	r.state(s, generations.Promoted)
}

// A source that is configured only now finds its earlier events in the quarantine:
// a rebuild takes them in.
func TestASourceThatComesLater(t *testing.T) {
	r := newRig(t)
	whole := r.defs
	var later string
	for source := range whole {
		later = source
	}
	r.defs = map[string]*providers.Definition{}
	for source, d := range whole {
		if source != later {
			r.defs[source] = d
		}
	}
	s := r.open()
	stop := r.run(s)
	r.eventually("all is applied", func() bool { return r.position(s) == uint64(r.groups) })
	stop()
	r.defs = whole
	s = r.open()
	if st := s.Status(); len(st.Outdated) != 1 || st.Outdated[0] != later || st.Job == nil {
		t.Fatalf("a start with a source more: %+v", st)
	}
	r.run(s)
	if j := r.state(s, generations.Promoted); j.Report.Added == 0 {
		t.Errorf("report %+v", j.Report)
	}
	if st := s.Status(); len(st.Outdated) != 0 {
		t.Errorf("afterwards %+v", st)
	}
	r.caughtUp(s)
}
