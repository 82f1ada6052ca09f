package memstore_test

import (
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore/memstore"
	"github.com/tidemark-dev/tidemark/eventstore/storetest"
)

// store gives memstore the suite's optional abilities.
type store struct{ *memstore.Store }

func (s store) MaxMessage() int { return s.Store.MaxMessage }

func (s store) Reopen(t *testing.T) storetest.Store {
	again := s.Store.Reopen()
	if err := s.Store.Close(); err != nil {
		t.Fatal(err)
	}
	return store{again}
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Store {
		s := memstore.New()
		s.Idle = 5 * time.Millisecond
		return store{s}
	})
}
