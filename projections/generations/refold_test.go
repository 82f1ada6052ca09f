package generations_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/generations"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// A refold that begins by itself and meets damaged rows would meet them at every start: what serves
// is damaged, and is made anew from the log.
func TestARefoldMeetsDamage(t *testing.T) {
	r := newRig(t)
	want := r.first()
	r.madeBefore("g000001", map[string]int{"timeline": lately})
	spoil(t, filepath.Join(r.root, "g000001"), 't')
	s := r.open()
	begun := r.refolds(s)
	stop := r.run(s)
	r.eventually("a rebuild comes behind it", func() bool { j, err := s.Job("last"); return err == nil && j.ID != begun.ID })
	if j := r.state(s, generations.Promoted); j.Request.Refold {
		t.Errorf("it is %+v", j)
	}
	r.left("g000001")
	if st := s.Status(); st.Previous != "" || s.Err() != nil {
		t.Errorf("afterwards %+v, %v", st, s.Err())
	}
	if got := r.sum(s); got != want {
		t.Errorf("what took over sums up to %s, want %s", got, want)
	}
	stop()
	s = r.open()
	defer r.run(s)()
	if st := s.Status(); len(st.OutdatedProjections) != 0 || st.Job.State != generations.Promoted {
		t.Errorf("the next start: %+v, %+v", st, st.Job)
	}
}

// Where only the copy is damaged that a refold folds, what serves is not blamed.
func TestARefoldsCopyIsDamaged(t *testing.T) {
	r, begun := amidRefold(t)
	ruin(t, filepath.Join(r.root, begun.Generation))
	s := r.open()
	r.run(s)
	r.eventually("another one comes behind it", func() bool { j, err := s.Job("last"); return err == nil && j.ID != begun.ID })
	if j := r.state(s, generations.Promoted); !j.Request.Refold || j.Report == nil {
		t.Errorf("behind the one with the damaged copy comes %+v", j)
	}
	if st := s.Status(); st.Previous != "g000001" {
		t.Errorf("what served is blamed: %+v", st)
	}
	r.left(begun.Generation)
	r.caughtUp(s)
}

// A file that cannot be read ends the process, which says to whom it belongs: that generation is
// not opened any more.
func TestWhoseFileARefoldCannotRead(t *testing.T) {
	r := newRig(t)
	var mu sync.Mutex
	var blamed []string
	open := func() *generations.Set {
		return r.with(func(o *generations.Options) {
			o.Fatal = func(path string, _ error) {
				mu.Lock()
				defer mu.Unlock()
				blamed = append(blamed, filepath.Base(path))
			}
		})
	}
	r.first()
	s := open()
	stop := r.run(s)
	if _, err := s.Start(generations.Request{}); err != nil { // it makes tables of one kind of rows each
		t.Fatal(err)
	}
	r.state(s, generations.Promoted)
	stop()
	serving := s.Status().Serving
	r.edit(serving, func(_ *kv.DB, _ *kv.Batch, g *projections.Generation) error {
		g.Projections["timeline"] = lately
		return nil
	})
	r.damageTable(serving, 't')
	s = open()
	begun := r.refolds(s)
	stop = r.run(s)
	r.eventually("it comes to its end", func() bool { j, err := s.Job(begun.ID); return err != nil || j.State.Ended() })
	stop()
	mu.Lock()
	defer mu.Unlock()
	if len(blamed) == 0 || blamed[0] != serving {
		t.Errorf("blamed is %v, and %s is damaged", blamed, serving)
	}
}

// A refold is not gone on with where the generation that it folds cannot be used any more.
func TestARefoldIsGivenUpWithWhatItFolds(t *testing.T) {
	r, begun := amidRefold(t)
	ruin(t, filepath.Join(r.root, "g000001"))
	said := r.noted()
	s := r.open()
	if j, err := s.Job("last"); err != nil || j.ID != begun.ID || j.State != generations.Cancelled {
		t.Errorf("the refold is %+v, %v", j, err)
	}
	if !said.has("the projections that it folds again cannot be used") {
		t.Errorf("it says %s", said.all())
	}
	r.run(s)
	r.caughtUp(s)
}

// amidRefold leaves g000001 serving and a refold of it under way, as a crash in its middle does.
func amidRefold(t *testing.T) (*rig, generations.Job) {
	t.Helper()
	r := newRig(t)
	r.first()
	r.madeBefore("g000001", map[string]int{"timeline": lately})
	s := r.open()
	begun := r.refolds(s)
	if err := s.Close(); err != nil { // it ends before Run: the job is under way
		t.Fatal(err)
	}
	r.stopAmid(begun)
	return r, begun
}

// refolds fails unless a start has begun a refold by itself.
func (r *rig) refolds(s *generations.Set) generations.Job {
	r.t.Helper()
	j := s.Status().Job
	if j == nil || !j.Request.Refold || j.State != generations.Building {
		r.t.Fatalf("it begins %+v", j)
	}
	return *j
}

// left fails unless a directory is marked as damaged and left to look at.
func (r *rig) left(name string) {
	r.t.Helper()
	for _, file := range []string{name + generations.DamagedMark, name} {
		if _, err := os.Stat(filepath.Join(r.root, file)); err != nil {
			r.t.Error(err)
		}
	}
}

// damageTable changes a byte of a table that holds rows of one kind and of no other.
func (r *rig) damageTable(name string, kind byte) {
	r.t.Helper()
	dir := filepath.Join(r.root, name)
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil {
		r.t.Fatal(err)
	}
	flip := func(table string) {
		b, err := os.ReadFile(table)
		if err != nil {
			r.t.Fatal(err)
		}
		b[10] ^= 0xff // in the first block of rows
		if err := os.WriteFile(table, b, 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	for _, table := range tables {
		flip(table)
		if !reads(dir, []byte{kind}, []byte{kind + 1}) && reads(dir, nil, []byte{kind}) && reads(dir, []byte{kind + 1}, nil) {
			return
		}
		flip(table)
	}
	r.t.Fatalf("none of %v holds rows of kind %c alone", tables, kind)
}

// reads reports whether rows of a closed directory can be read.
func reads(dir string, lower, upper []byte) bool {
	db, err := kv.Open(dir, kv.Options{Fatal: func(error) {}})
	if err != nil {
		return false
	}
	defer func() { _ = db.Close() }()
	it, err := db.Iter(lower, upper)
	if err != nil {
		return false
	}
	for ok := it.First(); ok; ok = it.Next() {
		_ = it.Value()
	}
	return it.Close() == nil
}
