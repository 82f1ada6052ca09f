package timeline

import (
	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// Entry is one event on a connection's timeline: what the mapping read out of
// it, and how it was delivered. The body stays in the log.
type Entry struct {
	Key Key
	// Event is the event's id.
	Event ulid.ULID
	// ReceivedAt is our clock at acceptance, nanoseconds since 1970, UTC.
	ReceivedAt int64
	// OccurredAt is the provider's clock: seconds since 1970 and nanoseconds,
	// meaningful where HasOccurred. It is kept even where it does not decide.
	OccurredAt  Instant
	HasOccurred bool
	// Skewed is set where OccurredAt was not usable for ordering (more than
	// MaxSkew ahead of ReceivedAt, or out of the range of nanoseconds).
	Skewed bool
	// Redacted is set where the body is stored with hashes in the place of values.
	Redacted bool
	// Late is set where an event of a later effective time was projected before.
	Late bool
	// Duplicates counts further deliveries under the same id, Conflicts those with other bytes.
	Duplicates, Conflicts uint32
	// LastReceivedAt and LastPosition are the maximum over those deliveries.
	LastReceivedAt int64
	LastPosition   uint64

	Type     string
	Delivery string
	Rule     string
	Sets     [providers.NumFacets]providers.Value
	Detail   providers.Detail
}

// Instant is a time over the whole range of RFC 3339, UTC.
type Instant struct {
	Seconds int64
	Nanos   int32
}

// TimeSource says whose clock the entry is ordered by: "provider" or "received".
func (e *Entry) TimeSource() string {
	if e.HasOccurred && !e.Skewed {
		return "provider"
	}
	return "received"
}
