package projections_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// A directory that lacks the row of any one group is damaged, whichever it is.
func TestADirectoryWithoutAGroup(t *testing.T) {
	for _, gone := range []uint64{0, 1, 5, 9} {
		db, err := kv.Open(t.TempDir(), kv.Options{})
		if err != nil {
			t.Fatal(err)
		}
		b := db.Batch()
		for p := uint64(1); p <= 9; p++ {
			if p == gone {
				continue
			}
			if err := b.Set(binary.BigEndian.AppendUint64([]byte{'g'}, p), []byte("row")); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(b.Commit(), b.Close()); err != nil {
			t.Fatal(err)
		}
		err = projections.CheckWhole(db.Reader, 9)
		if damaged := errors.Is(err, kv.ErrDamaged); damaged != (gone != 0) || err != nil && !damaged {
			t.Errorf("without position %d: %v", gone, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
