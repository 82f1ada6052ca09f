package projections_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/projectiontest"
)

// A read that fails on the way gives up the batch at hand and nothing else: the same groups, added
// once more when the disk reads again, leave what they would have left at once.
func TestABatchThatFailsIsTakenAgain(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	r := &rig{shape: projectiontest.Messy}
	r.shape.Late, r.shape.Anonymous = 60, 95 // few ids to look for, so that commits read too
	for range 12 {                           // more than a table keeps in one block
		r.groups = append(r.groups, projectiontest.Groups(rng, projectiontest.Draw(rng, r.shape), 3)...)
	}
	r.log, r.oracle = projectiontest.Store(r.groups)
	var left atomic.Int64 // reads until one fails
	left.Store(1 << 40)
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileReadAt && strings.HasSuffix(op.Path, ".sst") && left.Add(-1) < 0 {
			return &os.PathError{Op: "read", Path: op.Path, Err: syscall.EIO}
		}
		return nil
	}))
	var inAdd, inCommit int
	for due := uint64(1); due <= uint64(len(r.groups)); {
		db := projectiontest.Open(t, fs) // cold: nothing of its tables is in memory
		p, err := projections.NewProjector(db, projectiontest.Definitions(t, r.shape))
		if err != nil {
			t.Fatal(err)
		}
		last := min(due+19, uint64(len(r.groups)))
		apply := func() (add, commit error) {
			for at := p.Checkpoint().Position + 1; at <= last && add == nil; at++ {
				g, err := r.log.At(t.Context(), eventstore.Position(at))
				if err != nil {
					t.Fatal(err)
				}
				add = p.Add(&g)
			}
			return add, p.Commit()
		}
		left.Store(rng.Int64N(24))
		add, commit := apply()
		left.Store(1 << 40)
		for _, err := range []error{add, commit} {
			if err != nil && !errors.Is(err, syscall.EIO) {
				t.Fatal(err)
			}
		}
		if add != nil {
			inAdd++
		} else if commit != nil {
			inCommit++
		}
		if add, commit := apply(); add != nil || commit != nil {
			t.Fatalf("taken again: %v, %v", add, commit)
		}
		if err := errors.Join(p.Close(), db.Close()); err != nil {
			t.Fatal(err)
		}
		due = last + 1
	}
	if inAdd == 0 || inCommit == 0 {
		t.Errorf("%d failed while events were added, %d while they were applied: nothing was tested", inAdd, inCommit)
	}
	db := projectiontest.Open(t, fs)
	defer func() { _ = db.Close() }()
	projectiontest.CheckStates(t, db, r.oracle)
}
