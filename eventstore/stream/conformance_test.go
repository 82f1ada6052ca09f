package stream_test

import (
	"fmt"
	"testing"

	"github.com/tidemark-dev/tidemark/eventstore/storetest"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
)

func TestConformanceEmbedded(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store {
		return start(t, stream.Options{Dir: t.TempDir()})
	})
}

// TestConformanceWithoutATail has every group read from the server, also those just stored.
func TestConformanceWithoutATail(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store {
		return start(t, stream.Options{Dir: t.TempDir(), Tail: 1})
	})
}

func TestConformanceExternal(t *testing.T) {
	server := startServer(t)
	n := 0
	storetest.Run(t, func(t *testing.T) storetest.Store {
		n++
		return start(t, server.options(fmt.Sprintf("T%d", n)))
	})
}
