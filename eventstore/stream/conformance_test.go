package stream_test

import (
	"testing"

	"github.com/tidemark-dev/tidemark/eventstore/storetest"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
)

func TestConformanceEmbedded(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store {
		return start(t, stream.Options{Dir: t.TempDir()})
	})
}
