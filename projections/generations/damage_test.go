package generations_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/generations"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// spoil overwrites the rows of a kind with bytes that are none.
func spoil(t *testing.T, dir string, prefix byte) {
	t.Helper()
	db, err := kv.Open(dir, kv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	it, err := db.Iter([]byte{prefix}, []byte{prefix + 1})
	if err != nil {
		t.Fatal(err)
	}
	b, n := db.Batch(), 0
	for ok := it.First(); ok; ok = it.Next() {
		n++
		if err := b.Set(it.Key(), []byte{0xff}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(it.Close(), b.Commit(), b.Close(), db.Close()); err != nil || n == 0 {
		t.Fatalf("%d rows were spoilt (%v)", n, err)
	}
}

// filled runs a set up to the head and returns the directory that served, closed.
func (r *rig) filled() (dir string) {
	r.t.Helper()
	s := r.open()
	defer r.run(s)()
	r.caughtUp(s)
	return s.Path()
}

// Rows that turn out to be damaged are named, and a generation made anew takes over
// by itself, without being held to them.
func TestADamagedGenerationIsReplaced(t *testing.T) {
	for name, find := range map[string]func(*rig, *generations.Set){
		"found by an event": func(r *rig, _ *generations.Set) { r.more(40) },
		"found by a query": func(r *rig, s *generations.Set) {
			v, err := s.View()
			if err != nil {
				r.t.Fatal(err)
			}
			defer func() { _ = v.Close() }()
			_, err = v.Connection("src-0", "co/nn *1")
			if !errors.Is(err, projections.ErrDamaged) {
				r.t.Fatalf("a spoilt row is read as %v", err)
			}
			s.Damaged(err)
		},
		"found by a comparison": func(r *rig, s *generations.Set) {
			if _, err := s.Start(generations.Request{}); err != nil {
				r.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			dir := r.filled()
			spoil(t, dir, 'm')
			s := r.open()
			stop := r.run(s)
			find(r, s)
			j := r.state(s, generations.Promoted)
			if j.Uncompared == "" || j.Report != nil || s.Path() == dir {
				t.Errorf("%+v; %s serves", j, s.Path())
			}
			r.eventually("it is well again", func() bool { return s.Err() == nil })
			r.caughtUp(s)
			if _, err := os.Stat(dir + generations.DamagedMark); err != nil {
				t.Errorf("the damaged directory is not marked: %v", err)
			}
			if _, err := os.Stat(filepath.Join(dir, "LOCK")); err != nil {
				t.Errorf("the damaged directory is not left to look at: %v", err)
			}
			if _, _, err := s.Rollback(t.Context()); !errors.Is(err, generations.ErrNoPrevious) {
				t.Errorf("a rollback to what is damaged: %v", err)
			}
			stop()
			s = r.open()
			r.run(s)
			r.caughtUp(s)
		})
	}
}

// ruin makes a directory one that does not open.
func ruin(t *testing.T, dir string) {
	t.Helper()
	manifests, err := filepath.Glob(filepath.Join(dir, "MANIFEST*"))
	if err != nil || len(manifests) == 0 {
		t.Fatalf("no manifest in %s (%v)", dir, err)
	}
	for _, m := range manifests {
		if err := os.WriteFile(m, []byte("none of Pebble's"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A directory that does not open is left to look at, named with its size at every start; of
// several the newest is, so that a bad disk does not fill up with them.
func TestTheNewestDamagedGenerationIsLeft(t *testing.T) {
	r := newRig(t)
	there := func(dir string) bool {
		_, dirErr := os.Stat(dir)
		_, markErr := os.Stat(dir + generations.DamagedMark)
		if (dirErr == nil) != (markErr == nil) {
			t.Errorf("%s: %v, its mark: %v", dir, dirErr, markErr)
		}
		return dirErr == nil
	}
	var ruined []string
	for range 3 {
		dir := r.filled()
		ruin(t, dir)
		ruined = append(ruined, dir)
		var logs bytes.Buffer
		r.logs = slog.NewJSONHandler(&logs, nil)
		s := r.open()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for i, d := range ruined {
			if there(d) != (i == len(ruined)-1) {
				t.Errorf("after %v were damaged, one after the other: is %s there? %v", ruined, d, there(d))
			}
		}
		for range 2 { // also the start after that says so, once
			var told []struct {
				Path  string
				Bytes int64
			}
			for line := range bytes.Lines(logs.Bytes()) {
				var l struct {
					Msg, Path string
					Bytes     int64
				}
				if err := json.Unmarshal(line, &l); err != nil {
					t.Fatal(err)
				}
				if strings.Contains(l.Msg, "delete the directory") {
					told = append(told, struct {
						Path  string
						Bytes int64
					}{l.Path, l.Bytes})
				}
			}
			if len(told) != 1 || told[0].Path != dir || told[0].Bytes < 1000 {
				t.Errorf("told %+v, want %s and its size", told, dir)
			}
			logs.Reset()
			s = r.open()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		r.logs = slog.DiscardHandler
	}
}

// A former generation that is damaged when it is to serve again is left as well.
func TestADamagedFormerGenerationIsLeft(t *testing.T) {
	r := newRig(t)
	s := r.open()
	stop := r.run(s)
	r.caughtUp(s)
	former := s.Path()
	rebuild := func() {
		if _, err := s.Start(generations.Request{}); err != nil {
			t.Fatal(err)
		}
		r.state(s, generations.Promoted)
	}
	rebuild()
	stop()
	ruin(t, former)
	s = r.open()
	r.run(s)
	if _, _, err := s.Rollback(t.Context()); !errors.Is(err, kv.ErrDamaged) {
		t.Fatalf("a rollback to damaged projections: %v", err)
	}
	rebuild()
	if s.Status().Previous == filepath.Base(former) {
		t.Fatal("it is still what a rollback goes back to")
	}
	if _, err := os.Stat(former); err != nil {
		t.Errorf("the damaged former one: %v", err)
	}
}

// Who asks whether all is well is told no, and it is mended behind that.
func TestVerifyFindsDamage(t *testing.T) {
	r := newRig(t)
	dir := r.filled()
	spoil(t, dir, 'g')
	s := r.open()
	r.run(s)
	j, err := s.Start(generations.Request{Verify: true})
	if err != nil {
		t.Fatal(err)
	}
	r.eventually("the verification ended", func() bool {
		now, err := s.Job(j.ID)
		if err == nil {
			j = now
		}
		return j.State.Ended()
	})
	if !j.Integrity || j.Verified == nil || j.Verified.Equal || j.Verified.First == "" {
		t.Errorf("%+v", j)
	}
}
