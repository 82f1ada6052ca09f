package projections_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/projectiontest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The rows as docs/FORMAT.md describes them. Changing their layout means raising
// projections.Format, and changing what they say the version of their projection: either is a rebuild for every user.
func TestRowsGolden(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	s := projectiontest.Messy
	s.Events = 40
	log, _ := projectiontest.Store(projectiontest.Groups(rng, projectiontest.Draw(rng, s), 4))
	db := projectiontest.Open(t, vfs.NewMem())
	defer func() { _ = db.Close() }()
	_ = projectiontest.Project(t, db, log, projectiontest.Definitions(t, s), 10, 0).Close()
	about, _, err := projections.LoadGeneration(db.Reader)
	if err != nil {
		t.Fatal(err)
	}
	got := append(fmt.Appendf(nil, "format %d, projections %v\n", about.Format, about.Projections), projectiontest.Rows(t, db)...)
	const golden = "testdata/rows.golden"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("rows differ from %s: if that is meant, raise Format and change docs/FORMAT.md, or raise the version of a projection (Versions), and run the test with -update", golden)
	}
}
