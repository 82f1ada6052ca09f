package projections_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-dev/tidemark/projections/projectiontest"
)

func TestLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { projectiontest.Law(t, projectiontest.Messy) })
}

// A single hot connection with a long history crosses the levels of blocks.
func TestLawOfAHotConnection(t *testing.T) {
	s := projectiontest.Messy
	s.Sources, s.Connections, s.Events = 1, 1, 250
	rapid.Check(t, func(t *rapid.T) { projectiontest.Law(t, s) })
}
