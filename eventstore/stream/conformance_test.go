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

func TestConformanceExternal(t *testing.T) {
	server := startServer(t)
	n := 0
	storetest.Run(t, func(t *testing.T) storetest.Store {
		n++
		return start(t, server.options(fmt.Sprintf("T%d", n)))
	})
}
