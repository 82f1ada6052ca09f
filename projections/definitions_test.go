package projections_test

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/projectiontest"
)

// The law holds for every built-in definition, on histories of its own fixtures.
func TestLawOfDefinitions(t *testing.T) {
	histories := uint64(3)
	if os.Getenv("TIDEMARK_LONG") != "" {
		histories = 40
	}
	for _, name := range providers.Builtin() {
		t.Run(name, func(t *testing.T) {
			d, err := providers.Load(name)
			if err != nil {
				t.Fatal(err)
			}
			samples := projectiontest.Samples(t, d)
			for seed := range histories {
				t.Logf("history %d", seed)
				projectiontest.LawOfDefinition(t, rand.New(rand.NewPCG(seed, 11)), d, samples, 60)
				projectiontest.OrderOfDefinition(t, rand.New(rand.NewPCG(seed, 12)), d, samples, 60)
			}
		})
	}
}

// However a payload is mutilated, it stands on a timeline or in the quarantine.
func TestNothingIsLost(t *testing.T) {
	mutants := 300
	if os.Getenv("TIDEMARK_LONG") != "" {
		mutants = 5000
	}
	for _, name := range providers.Builtin() {
		t.Run(name, func(t *testing.T) {
			d, err := providers.Load(name)
			if err != nil {
				t.Fatal(err)
			}
			placed := projectiontest.NothingIsLost(t, rand.New(rand.NewPCG(1, 13)), d, projectiontest.Samples(t, d), mutants)
			if placed == 0 || placed == mutants {
				t.Fatalf("%d of %d are on timelines: too much or too little is mutilated", placed, mutants)
			}
		})
	}
}
