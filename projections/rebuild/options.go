package rebuild

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// ErrIncomplete means that a generation does not account for every event of the
// log. It is not finished and must not be promoted.
var ErrIncomplete = errors.New("rebuild is incomplete")

// ErrOther means that the directory holds something else than this rebuild, unfinished or finished.
var ErrOther = errors.New("directory holds another generation")

// Options says what to build and how. Dir is all that Refold needs; Build needs Log and Definitions too.
type Options struct {
	// Dir is the directory of the new generation. An unfinished one is gone on
	// with; a finished one is only counted again; else it is made.
	Dir string
	// KV is how to open it. Bulk is set by the rebuild itself.
	KV kv.Options
	// Log is what to read.
	Log eventstore.Reader
	// Definitions maps each source to what its events mean. A directory begun with other
	// definitions, or by code of other versions (projections.Versions), is an ErrOther.
	Definitions map[string]*providers.Definition
	// To is the last position to read; 0 for the head of the log when Build begins.
	To eventstore.Position

	// Workers bounds the goroutines that map events, and that fold timelines; 0 for one a core.
	Workers int
	// Cores bounds how many goroutines compute at a time, Workers and others; 0 for no bound. With fewer than
	// the machine has, it takes longer and disturbs whoever serves beside it less.
	Cores int
	// Aside, if not nil, is called by each goroutine that computes, before it begins. It may keep the goroutine's
	// thread for it and have the system run others first.
	Aside func()
	// Rest, if not nil, is called by each goroutine that computes, between rows and events, once a Stint has passed since its last
	// rest, and may wait for as long as others are to have the processors. Its core is not given to another meanwhile.
	Rest func()
	// ChunkEvents and ChunkBytes bound what is taken in at a time, and so the
	// memory: two chunks are in the making at a time. 0 for 256 Ki events and 32 MiB of rows.
	ChunkEvents, ChunkBytes int
	// Sum lets Build sum the rows up as it writes them (Result.Written), for a fiftieth of its time: a
	// verification then need not read them back.
	Sum bool
	// FilterBytes is the size of the filter that tells new delivery ids from
	// those that may have been there; 0 for 64 MiB, enough for 50 million ids.
	// With more the rebuild gets slower, not wrong.
	FilterBytes int

	// Gate, if not nil, is called every few hundred events and may wait: to pause the
	// rebuild, or to slow it down. Its error ends the rebuild. It is called from several goroutines.
	Gate func(context.Context) error
	// Progress, if not nil, is told how far it has come, several times a second. It must not wait.
	Progress func(Progress)
	// Now is the clock of Progress.Rate, Result.Took and Rest; nil leaves the two 0, and nobody rests.
	Now func() time.Time

	cores *cores // as Cores, Aside and Rest say
}

// Phase is a part of a rebuild.
type Phase string

// The phases, in their order. A refold has no scan.
const (
	Scan  Phase = "scan"  // the log is read, events are mapped and put in their places
	Fold  Phase = "fold"  // timelines are summed up
	Check Phase = "check" // every event is accounted for
)

// Progress is how far a rebuild has come.
type Progress struct {
	Phase Phase `json:"phase"`
	// Position is the last position read and To the last one to read.
	Position uint64 `json:"position"`
	To       uint64 `json:"to"`
	// Done of Total: positions in a scan, entries in a fold, positions in a check.
	Done  uint64 `json:"done"`
	Total uint64 `json:"total"`
	// Events counts the events of this phase, those before a restart included.
	Events uint64 `json:"events"`
	// Rate is the events a second of this phase since it was begun or gone on with.
	Rate float64 `json:"rate"`
	// Waiting says why nothing moves, "" while it does.
	Waiting string `json:"waiting,omitempty"`
}

// Result is what a finished rebuild accounts for. The figures were counted on
// both sides: events as they were read, and rows as they were found.
type Result struct {
	Generation projections.Generation `json:"generation"`
	// Events is the number of events read; Placed, Duplicates and Quarantined add up to it.
	Events      uint64 `json:"events"`
	Placed      uint64 `json:"placed"`
	Duplicates  uint64 `json:"duplicates"`
	Quarantined uint64 `json:"quarantined"`
	// Positions is the number of groups accounted for: it is the last position.
	Positions   uint64 `json:"positions"`
	Connections uint64 `json:"connections"`
	// Resumed is the position from which this run went on, 0 if it began the directory.
	Resumed uint64 `json:"resumed,omitempty"`
	// Chunks counts the parts taken in by this run.
	Chunks int `json:"chunks"`
	// Written sums up the rows of the generation, if Options.Sum asked for it and this run wrote all of them; else nil.
	Written *Written `json:"-"`
	// Took is how long each phase of this run took.
	Took map[Phase]time.Duration `json:"took,omitempty"`
}

const (
	defaultChunkEvents = 256 << 10
	defaultChunkBytes  = 32 << 20
	defaultFilterBytes = 64 << 20
)

func (o Options) withDefaults() Options {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Now == nil {
		o.Now, o.Rest = func() time.Time { return time.Time{} }, nil
	}
	o.cores = newCores(&o)
	if o.ChunkEvents <= 0 {
		o.ChunkEvents = defaultChunkEvents
	}
	if o.ChunkBytes <= 0 {
		o.ChunkBytes = defaultChunkBytes
	}
	if o.FilterBytes <= 0 {
		o.FilterBytes = defaultFilterBytes
	}
	gate := o.Gate
	o.Gate = func(ctx context.Context) error {
		if err := ctx.Err(); err != nil || gate == nil {
			return err
		}
		return gate(ctx)
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	return o
}
