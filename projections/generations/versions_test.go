package generations_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/generations"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/rebuild"
)

// edit opens a closed directory of the rig and changes rows of it.
func (r *rig) edit(name string, change func(*kv.DB, *kv.Batch, *projections.Generation) error) {
	r.t.Helper()
	db, err := kv.Open(filepath.Join(r.root, name), kv.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	b := db.Batch()
	g, there, err := projections.LoadGeneration(db.Reader)
	if err == nil && !there {
		err = errors.New("it says nothing of itself")
	}
	if err == nil {
		err = change(db, b, &g)
	}
	if err == nil {
		key, value, failed := g.Row()
		err = errors.Join(failed, b.Set(key, value), b.Commit(), db.Sync())
	}
	if err := errors.Join(err, b.Close(), db.Close()); err != nil {
		r.t.Fatal(err)
	}
}

// madeBefore lets a closed directory be of other versions, and what they made of some folds be wrong.
func (r *rig) madeBefore(name string, versions map[string]int) {
	r.t.Helper()
	r.edit(name, func(db *kv.DB, b *kv.Batch, g *projections.Generation) error {
		maps.Copy(g.Projections, versions)
		it, err := db.Iter([]byte("h"), []byte("i"))
		if err != nil {
			return err
		}
		if !it.First() {
			err = errors.New("no row to be made wrong")
		}
		for ok := err == nil; ok; ok = it.Next() {
			err = errors.Join(err, b.Delete(it.Key()))
		}
		return errors.Join(err, it.Close())
	})
}

// versions are those of the serving generation.
func (r *rig) versions(s *generations.Set) map[string]int {
	r.t.Helper()
	v, err := s.View()
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	g, _, err := projections.LoadGeneration(v.Rows())
	if err != nil {
		r.t.Fatal(err)
	}
	return g.Projections
}

func (n *notes) all() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.b.String()
}

// first runs the rig's first generation up to the head and says what it sums up to.
func (r *rig) first() (sum string) {
	r.t.Helper()
	s := r.open()
	defer r.run(s)()
	r.caughtUp(s)
	if got := r.versions(s); !maps.Equal(got, projections.Versions()) {
		r.t.Fatalf("a directory that begins says %v", got)
	}
	return r.sum(s)
}

// lately is a version that no code has yet.
const lately = 1000

func TestWhatAStartDoesWithAnotherVersion(t *testing.T) {
	for _, c := range []struct {
		other  string
		refold bool
	}{{"timeline", true}, {"connections", true}, {"places", false}, {"gone", false}, {"connections timeline", true}, {"connections places", false}} {
		t.Run(c.other, func(t *testing.T) {
			r := newRig(t)
			want := r.first()
			names, versions := strings.Fields(c.other), map[string]int{}
			for _, name := range names {
				versions[name] = lately
			}
			r.madeBefore("g000001", versions)
			said := r.noted()
			s := r.open()
			st := s.Status()
			if st.Serving != "g000001" || !slices.Equal(st.OutdatedProjections, names) || len(st.Outdated) != 0 {
				t.Errorf("a start with other versions: %+v", st)
			}
			j := st.Job
			if j == nil || j.Request.Refold != c.refold || j.Request.Review || j.Request.Reason != "another version of "+strings.Join(names, ", ") {
				t.Fatalf("it begins %+v", j)
			}
			if !maps.Equal(j.Projections, projections.Versions()) {
				t.Errorf("it is made by %v", j.Projections)
			}
			if !said.has("go on serving; new ones are made in the background and take over") ||
				!said.has(fmt.Sprintf("%s %d -> %d", names[0], lately, projections.Versions()[names[0]])) {
				t.Errorf("it says %s", said.all())
			}
			stop := r.run(s)
			if j := r.state(s, generations.Promoted); j.Report.Differs() || !maps.Equal(j.Result.Generation.Projections, j.Projections) {
				t.Errorf("report %+v, %+v", j.Report, j.Result)
			}
			if st := s.Status(); len(st.OutdatedProjections) != 0 || st.Serving == "g000001" || st.Previous != "g000001" {
				t.Errorf("afterwards %+v", st)
			}
			r.caughtUp(s)
			if got := r.sum(s); got != want {
				t.Errorf("what took over sums up to %s, want %s", got, want)
			}
			stop()
			s = r.open()
			defer r.run(s)()
			if got, err := s.Job("last"); err != nil || got.ID != j.ID {
				t.Errorf("the next start begins %+v, %v", got, err)
			}
		})
	}
}

// New events are applied by the code of now, and do not make old rows new.
func TestTheLiveProjectorKeepsTheVersions(t *testing.T) {
	r := newRig(t)
	r.first()
	r.edit("g000001", func(_ *kv.DB, _ *kv.Batch, g *projections.Generation) error {
		g.Projections["timeline"] = lately
		return nil
	})
	r.more(30)
	s := r.with(func(o *generations.Options) { o.OnChange = generations.Off })
	r.run(s)
	r.caughtUp(s)
	if got := r.versions(s); got["timeline"] != lately || got["places"] != projections.PlacesVersion {
		t.Errorf("it says %v", got)
	}
	// A rebuild that is asked for makes it current, whichever it is; a verification excuses what differs.
	if _, err := s.Start(generations.Request{Verify: true}); err != nil {
		t.Fatal(err)
	}
	if j := r.state(s, generations.Reported); !slices.Equal(j.Verified.OutdatedProjections, []string{"timeline"}) || j.Integrity {
		t.Errorf("verified %+v", j.Verified)
	}
	if _, err := s.Start(generations.Request{}); err != nil {
		t.Fatal(err)
	}
	r.state(s, generations.Promoted)
	if got := r.versions(s); !maps.Equal(got, projections.Versions()) {
		t.Errorf("made anew it says %v", got)
	}
}

// A directory from before versions were recorded has the first ones.
func TestADirectoryWithoutVersions(t *testing.T) {
	r := newRig(t)
	r.first()
	r.edit("g000001", func(_ *kv.DB, _ *kv.Batch, g *projections.Generation) error {
		g.Projections = nil
		return nil
	})
	s := r.open()
	defer r.run(s)()
	want := map[string]int{"connections": 1, "places": 1, "timeline": 1}
	if got := r.versions(s); !maps.Equal(got, want) {
		t.Errorf("it has %v", got)
	}
	if got := s.Status().OutdatedProjections; !slices.Equal(got, projections.OtherVersions(want)) {
		t.Errorf("outdated are %v", got)
	}
}

func TestAnotherVersionByThePolicy(t *testing.T) {
	for _, c := range []struct {
		policy generations.Policy
		says   string
	}{
		{generations.Off, "to make new ones: tidemark rebuild"},
		{generations.ReviewFirst, "wait for review: tidemark rebuild status"},
	} {
		t.Run(string(c.policy), func(t *testing.T) {
			r := newRig(t)
			r.first()
			r.madeBefore("g000001", map[string]int{"connections": lately})
			said := r.noted()
			s := r.with(func(o *generations.Options) { o.OnChange = c.policy; o.Logger = slog.New(r.logs) })
			if !said.has(c.says) || !said.has("go on serving") {
				t.Errorf("it says %s", said.all())
			}
			if c.policy == generations.Off {
				defer r.run(s)()
				if j := s.Status().Job; j != nil {
					t.Errorf("it begins %+v", j)
				}
				return
			}
			r.run(s)
			j := r.state(s, generations.Review)
			if s.Status().Serving != "g000001" {
				t.Errorf("before it was looked at: %+v", s.Status())
			}
			if _, err := s.Promote(j.ID); err != nil {
				t.Fatal(err)
			}
			r.state(s, generations.Promoted)
			r.caughtUp(s)
		})
	}
}

// Definitions that changed as well take a whole rebuild, and a source that nobody configures
// any more keeps its connections through a refold.
func TestAnotherVersionAndOtherDefinitions(t *testing.T) {
	t.Run("changed", func(t *testing.T) {
		r := newRig(t)
		r.first()
		r.madeBefore("g000001", map[string]int{"timeline": lately})
		r.redefine(variant(t, 1))
		s := r.open()
		j := s.Status().Job
		if j == nil || j.Request.Refold || !strings.HasPrefix(j.Request.Reason, "changed definitions: ") || !strings.HasSuffix(j.Request.Reason, "; another version of timeline") {
			t.Fatalf("it begins %+v", j)
		}
		r.run(s)
		r.state(s, generations.Promoted)
		if st := s.Status(); len(st.Outdated)+len(st.OutdatedProjections) != 0 {
			t.Errorf("afterwards %+v", st)
		}
		r.caughtUp(s)
	})
	t.Run("gone", func(t *testing.T) {
		r := newRig(t)
		r.first()
		r.madeBefore("g000001", map[string]int{"timeline": lately})
		r.defs = map[string]*providers.Definition{}
		s := r.open()
		r.run(s)
		if j := r.state(s, generations.Promoted); !j.Request.Refold || j.Request.Review {
			t.Errorf("it began %+v", j.Request)
		}
		r.caughtUp(s)
	})
}

// Who decides against what another version makes is not asked again, but is about yet another.
func TestDeclinedVersions(t *testing.T) {
	for _, rollback := range []bool{false, true} {
		t.Run(fmt.Sprint("rollback ", rollback), func(t *testing.T) {
			r := newRig(t)
			r.first()
			r.madeBefore("g000001", map[string]int{"timeline": lately})
			s := r.open()
			if !rollback { // before it has come anywhere
				if _, err := s.Cancel("last"); err != nil {
					t.Fatal(err)
				}
			}
			stop := r.run(s)
			if rollback {
				r.state(s, generations.Promoted)
				if _, _, err := s.Rollback(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			was := s.Status().Job.ID
			stop()
			said := r.noted()
			s = r.open()
			if st := s.Status(); st.Serving != "g000001" || len(st.OutdatedProjections) != 1 || st.Job.ID != was {
				t.Errorf("the next start: %+v, %+v", st, st.Job)
			}
			if !said.has("was cancelled or rolled back, so none is begun") {
				t.Errorf("it says %s", said.all())
			}
			r.run(s)()
			// To the file it is as if the code had changed since.
			r.replace("CURRENT", `"timeline": 1`, `"timeline": 999`)
			s = r.open()
			r.run(s)
			if j := r.state(s, generations.Promoted); j.ID == was {
				t.Errorf("yet another version begins nothing: %+v", j)
			}
			r.caughtUp(s)
		})
	}
}

// replace changes a file in the rig's root.
func (r *rig) replace(name, old, text string) {
	r.t.Helper()
	path := filepath.Join(r.root, name)
	b, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	changed := strings.Replace(string(b), old, text, 1)
	if changed == string(b) {
		r.t.Fatalf("no %s in %s: %s", old, name, b)
	}
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// A rebuild that stopped in its middle is gone on with by the same code, and given up by other.
func TestAVersionsRebuildIsCutShort(t *testing.T) {
	for _, c := range []struct {
		name, other string // projection that made what serves
		upgrade     bool   // in the middle
	}{{"refold", "timeline", false}, {"whole", "places", false}, {"refold of another version", "timeline", true}, {"whole of another version", "places", true}} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			want := r.first()
			r.madeBefore("g000001", map[string]int{c.other: lately})
			s := r.open()
			begun := *s.Status().Job
			if err := s.Close(); err != nil { // it ends before Run: the job is under way
				t.Fatal(err)
			}
			r.stopAmid(begun)
			if c.upgrade {
				r.replace("rebuild.json", `"timeline": 1`, `"timeline": 999`)
				r.edit(begun.Generation, func(_ *kv.DB, _ *kv.Batch, g *projections.Generation) error {
					g.Projections["timeline"] = 999
					return nil
				})
			}
			said := r.noted()
			s = r.open()
			r.run(s)
			j := r.state(s, generations.Promoted)
			if (j.ID != begun.ID) != c.upgrade || j.Request.Refold != begun.Request.Refold {
				t.Errorf("%s was begun, %+v took over", begun.ID, j)
			}
			if c.upgrade != said.has("it was begun by another version of the program") {
				t.Errorf("it says %s", said.all())
			}
			if st := s.Status(); len(st.OutdatedProjections) != 0 || !maps.Equal(r.versions(s), projections.Versions()) {
				t.Errorf("afterwards %+v", st)
			}
			r.caughtUp(s)
			if got := r.sum(s); got != want {
				t.Errorf("what took over sums up to %s, want %s", got, want)
			}
		})
	}
}

// stopAmid makes a part of a job's directory, as a crash in the middle of the fold leaves it.
func (r *rig) stopAmid(j generations.Job) {
	r.t.Helper()
	from, err := kv.Open(filepath.Join(r.root, "g000001"), kv.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(r.t.Context())
	o := rebuild.Options{Dir: filepath.Join(r.root, j.Generation), Log: r.log, Definitions: r.defs, Workers: 1,
		Progress: func(p rebuild.Progress) {
			if p.Phase == rebuild.Fold {
				stop()
			}
		}}
	if j.Request.Refold {
		_, err = rebuild.Refold(ctx, from, o)
	} else {
		_, err = rebuild.Build(ctx, o)
	}
	if !errors.Is(err, context.Canceled) {
		r.t.Fatalf("it was to be cut short: %v", err)
	}
	if err := from.Close(); err != nil {
		r.t.Fatal(err)
	}
}

// A start in the middle of taking over something that is outdated itself begins the rebuild afterwards.
func TestAnotherVersionTakesOverAtTheStart(t *testing.T) {
	r := newRig(t)
	r.first()
	s := r.open()
	stop := r.run(s)
	if _, err := s.Start(generations.Request{Review: true}); err != nil {
		t.Fatal(err)
	}
	j := r.state(s, generations.Review)
	stop()
	r.replace("rebuild.json", `"state": "review"`, `"state": "promoting"`)
	for _, name := range []string{"g000001", j.Generation} {
		r.madeBefore(name, map[string]int{"connections": lately})
	}
	s = r.open()
	if got := s.Status().Job; got.ID != j.ID || got.State != generations.Promoting {
		t.Fatalf("the start has %+v", got)
	}
	r.run(s)
	r.eventually("another rebuild takes over", func() bool {
		last, err := s.Job("last")
		return err == nil && last.ID != j.ID && last.State == generations.Promoted
	})
	if st := s.Status(); len(st.OutdatedProjections) != 0 || st.Previous != j.Generation {
		t.Errorf("afterwards %+v", st)
	}
	r.caughtUp(s)
}
