package providers

import "time"

// Facet is one dimension of a connection's state.
type Facet uint8

// The facets, in the order in which they are shown and stored.
const (
	Lifecycle Facet = iota
	Connectivity
	Auth
	Sync
	Error
	// NumFacets is the number of facets.
	NumFacets
)

// Value is a value of a facet: 0 where an observation leaves the facet alone,
// else 1 plus its index in the facet's list of values. Stored in the
// timeline, so existing numbers never change meaning.
type Value uint8

// Values of the facets. The first value of each is what a connection has
// before any event set the facet.
const (
	Unset Value = 0

	LifecycleUnknown, LifecycleActive, LifecyclePaused, LifecycleDisconnected Value = 1, 2, 3, 4

	ConnectivityUnknown, ConnectivityOnline, ConnectivityOffline Value = 1, 2, 3

	AuthUnknown, AuthOK, AuthExpiring, AuthRequired Value = 1, 2, 3, 4

	SyncUnknown, SyncRunning, SyncSucceeded, SyncFailed, SyncCancelled Value = 1, 2, 3, 4, 5

	ErrorNone, ErrorOpen Value = 1, 2
)

// MaxValues is the largest number of values that a facet has.
const MaxValues = 5

var facetNames = [NumFacets]string{"lifecycle", "connectivity", "auth", "sync", "error"}

var valueNames = [NumFacets][]string{
	{"unknown", "active", "paused", "disconnected"},
	{"unknown", "online", "offline"},
	{"unknown", "ok", "expiring", "required"},
	{"unknown", "running", "succeeded", "failed", "cancelled"},
	{"none", "open"},
}

// String returns the facet's name in the contract.
func (f Facet) String() string { return facetNames[f] }

// Values returns the names of the facet's values; the name of Value v is at v-1.
func (f Facet) Values() []string { return valueNames[f] }

// ValueName returns the contract's word for v, "" for Unset and for a number the facet does not have.
func (f Facet) ValueName(v Value) string {
	if v == Unset || int(v) > len(valueNames[f]) {
		return ""
	}
	return valueNames[f][v-1]
}

// ParseFacet returns the facet of that name.
func ParseFacet(name string) (Facet, bool) {
	for f, n := range facetNames {
		if n == name {
			return Facet(f), true
		}
	}
	return 0, false
}

// ParseValue returns the facet's value of that name.
func (f Facet) ParseValue(name string) (Value, bool) {
	for i, n := range valueNames[f] {
		if n == name {
			return Value(i + 1), true
		}
	}
	return Unset, false
}

// Detail says why: what the mapping read beside the values it set. Each text
// is cut to MaxDetail bytes at a rune boundary.
type Detail struct {
	Reason    string
	Code      string
	Message   string
	RequestID string
	// ExpiresAt is when credentials expire, UTC; zero where the provider does not say.
	ExpiresAt time.Time
}

// Limits on what an observation holds. A payload that exceeds MaxID or MaxType is quarantined.
const (
	MaxID     = 1024 // bytes of a connection or delivery id
	MaxType   = 256  // bytes of an event type
	MaxDetail = 1024 // bytes of each text of a Detail
)

// Observation is what a mapping reads out of one event.
type Observation struct {
	// Connection is the provider's id of the connection, arbitrary text of 1 to MaxID bytes, valid UTF-8.
	Connection string
	// Type is the event's type, 1 to MaxType bytes.
	Type string
	// DeliveryID identifies the delivery for duplicates; "" where the provider gives none.
	DeliveryID string
	// OccurredAt is when the provider says it happened, UTC; zero where it does not say.
	OccurredAt time.Time
	// Sequence orders events of equal time where HasSequence.
	Sequence    int64
	HasSequence bool
	// Sets holds the value of each facet that the event sets, Unset for the others.
	Sets [NumFacets]Value
	// Rule is the name of the mapping's rule that matched, "" where none did.
	Rule   string
	Detail Detail
}
