package timeline

import (
	"math"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// Run is what a stretch of ordered events says of one facet. It is a monoid:
// the zero Run is the identity and Join is associative.
type Run struct {
	// Sets counts the events that set the facet; all else is meaningless where it is 0.
	Sets uint64
	// Runs counts runs of equal values: transitions within the stretch, plus one.
	Runs uint64
	// First is the value set by the first of them, Last by the last.
	First, Last providers.Value
	// FirstKey is the first event that set the facet, Since the first of the last
	// run of equal values, LastKey the last that set it.
	FirstKey, Since, LastKey Key
	// Held is how long each value held, in nanoseconds from the first set to the last.
	Held [providers.MaxValues]int64
}

// Join returns what a and then b say together.
func (a *Run) Join(b *Run) {
	if b.Sets == 0 {
		return
	}
	if a.Sets == 0 {
		*a = *b
		return
	}
	same := a.Last == b.First
	a.Held[a.Last-1] += b.FirstKey.Effective - a.LastKey.Effective
	for i, d := range b.Held {
		a.Held[i] += d
	}
	a.Sets += b.Sets
	a.Runs += b.Runs
	if same {
		a.Runs--
	}
	if !same || b.Runs > 1 {
		a.Since = b.Since
	}
	a.Last, a.LastKey = b.Last, b.LastKey
}

// add joins one event that sets v.
func (a *Run) add(k Key, v providers.Value) {
	if a.Sets == 0 {
		*a = Run{Sets: 1, Runs: 1, First: v, Last: v, FirstKey: k, Since: k, LastKey: k}
		return
	}
	a.Held[a.Last-1] += k.Effective - a.LastKey.Effective
	a.Sets++
	if v != a.Last {
		a.Runs++
		a.Since = k
	}
	a.Last, a.LastKey = v, k
}

// Outcomes is what a stretch of ordered events says of syncs. A monoid like Run.
type Outcomes struct {
	Successes, Failures uint64
	// Trailing counts the failures behind the last success.
	Trailing uint64
	// LastSuccess and LastFailure are effective times, meaningful where the count is not 0.
	LastSuccess, LastFailure int64
}

// Join makes o what o and then b say together.
func (o *Outcomes) Join(b *Outcomes) {
	if b.Successes > 0 {
		o.Trailing = b.Trailing
		o.LastSuccess = b.LastSuccess
	} else {
		o.Trailing += b.Trailing
	}
	if b.Failures > 0 {
		o.LastFailure = b.LastFailure
	}
	o.Successes += b.Successes
	o.Failures += b.Failures
}

func (o *Outcomes) add(at int64, v providers.Value) {
	switch v {
	case providers.SyncSucceeded:
		o.Successes++
		o.Trailing = 0
		o.LastSuccess = at
	case providers.SyncFailed:
		o.Failures++
		o.Trailing++
		o.LastFailure = at
	}
}

// Summary is what a stretch of a connection's ordered events says altogether. A
// monoid: the zero Summary is the identity and Join is associative, so that the state
// at any instant is the join of a few stored summaries (FiBA: Tangwongsan,
// Hirzel, Schneider, PVLDB 12(10), 2019).
type Summary struct {
	// Events counts distinct events; Late those that came after an event of a later effective time.
	Events, Late uint64
	// Duplicates counts further deliveries of the events, Conflicts those with other bytes.
	Duplicates, Conflicts uint64
	// First and Last are the first and last effective time.
	First, Last int64
	// MinReceived and MaxReceived bound the times at which the events and their
	// duplicates were received, nanoseconds since 1970.
	MinReceived, MaxReceived int64
	// MaxPosition is the last position that brought one of them.
	MaxPosition uint64
	Facets      [providers.NumFacets]Run
	Sync        Outcomes
}

// Join makes s what s and then b say together.
func (s *Summary) Join(b *Summary) {
	if b.Events == 0 {
		return
	}
	if s.Events == 0 {
		*s = *b
		return
	}
	s.Events += b.Events
	s.Late += b.Late
	s.Duplicates += b.Duplicates
	s.Conflicts += b.Conflicts
	s.Last = b.Last
	s.MinReceived = min(s.MinReceived, b.MinReceived)
	s.MaxReceived = max(s.MaxReceived, b.MaxReceived)
	s.MaxPosition = max(s.MaxPosition, b.MaxPosition)
	for f := range s.Facets {
		s.Facets[f].Join(&b.Facets[f])
	}
	s.Sync.Join(&b.Sync)
}

// Add joins one event at the end. It reads only what counts, not the texts of e.
func (s *Summary) Add(e *Entry) {
	if s.Events == 0 {
		s.First = e.Key.Effective
		s.MinReceived = e.ReceivedAt
		s.MaxReceived = math.MinInt64
	}
	s.Events++
	if e.Late {
		s.Late++
	}
	s.Last = e.Key.Effective
	s.MinReceived = min(s.MinReceived, e.ReceivedAt)
	s.MaxReceived = max(s.MaxReceived, e.ReceivedAt)
	s.MaxPosition = max(s.MaxPosition, e.Key.Position)
	if e.Duplicates > 0 {
		s.Duplicates += uint64(e.Duplicates)
		s.Conflicts += uint64(e.Conflicts)
		s.MaxReceived = max(s.MaxReceived, e.LastReceivedAt)
		s.MaxPosition = max(s.MaxPosition, e.LastPosition)
	}
	for f, v := range e.Sets {
		if v != providers.Unset {
			s.Facets[f].add(e.Key, v)
		}
	}
	if v := e.Sets[providers.Sync]; v != providers.Unset {
		s.Sync.add(e.Key.Effective, v)
	}
}
