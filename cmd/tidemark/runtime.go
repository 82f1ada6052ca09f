package main

import (
	"runtime"
	"runtime/debug"

	"github.com/tidemark-dev/tidemark/internal/config"
)

const (
	// gcPercent makes the collector run a little more often than Go's default. Nearly all
	// that lives is caches, filters and buffers without pointers, which cost it
	// little: the CPU time of an event does not change, and the memory falls by a tenth.
	gcPercent = 75
	// memTable is the size of one table of recent writes in the projections' store,
	// which keeps up to four. Half of it costs a twentieth of the webhooks that 256 senders can have acknowledged, for the
	// store then sorts its rows more often; twice as much gains nothing that can be measured, and a start reads it again.
	memTable = 16 << 20
)

// tuneProcessors lets one goroutine more run than there are processors, unless the
// operator says how many: while the log's fsync is waited for, the runtime counts its thread as one that runs, and with
// two processors half of the machine would stand still for it. Under 64 and 256 senders a fifth more webhooks are acknowledged.
// It returns how many processors a rebuild is to compute on: all that there are but one, which is for those who are served.
func (a *app) tuneProcessors() (rebuild int) {
	there := runtime.GOMAXPROCS(0)
	if _, said := a.environ("GOMAXPROCS"); !said {
		runtime.GOMAXPROCS(there + 1)
	}
	return max(1, there-1)
}

// tuneMemory sets the Go runtime's bounds: what the operator says, with GOGC and GOMEMLIMIT or in the
// configuration, and where nobody says anything, ours.
func (a *app) tuneMemory(m config.Memory) {
	if _, said := a.environ("GOGC"); !said {
		debug.SetGCPercent(gcPercent)
	}
	if m.Limit > 0 {
		debug.SetMemoryLimit(m.Limit)
	}
}
