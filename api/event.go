package api

import "time"

// Event is one webhook as it was received, and what became of it.
type Event struct {
	ID         string    `json:"id" doc:"The event's id, a ULID"`
	Source     string    `json:"source"`
	ReceivedAt time.Time `json:"received_at" doc:"Our clock at acceptance"`
	Verified   string    `json:"verified" doc:"How the sender proved itself: the scheme's name, or none"`
	Headers    []Header  `json:"headers" nullable:"false" doc:"The sender's headers that the source keeps"`
	Position   uint64    `json:"position" doc:"Place in the log"`
	Index      int       `json:"index" doc:"Place in the commit group at that position"`
	BodySize   int       `json:"body_size" doc:"Length of the body in bytes"`
	Raw        string    `json:"raw" doc:"Path of the exact bytes"`

	Fate  string   `json:"fate" enum:"placed,duplicate,quarantined" doc:"What became of it"`
	Flags []string `json:"flags" nullable:"false" enum:"late,clock_skew,conflict" doc:"Those of its entry; of a duplicate, conflict where its bytes differ from those of the event it repeats"`
	// Connection is "" for a quarantined event.
	Connection string `json:"connection,omitempty" doc:"Where it belongs; left out for a quarantined event"`
	// Observation is nil for a quarantined event.
	Observation *Observation `json:"observation,omitempty" doc:"What was read out of it; of a duplicate, out of the event it repeats"`
	// Repeats is the id of the event that a duplicate repeats, else "".
	Repeats string `json:"repeats,omitempty" doc:"Of a duplicate, the event it repeats"`
	// Quarantine is nil but for a quarantined event.
	Quarantine *QuarantineReason `json:"quarantine,omitempty" doc:"Why it could not be placed"`
}

// The fates of events.
const (
	FatePlaced      = "placed"
	FateDuplicate   = "duplicate"
	FateQuarantined = "quarantined"
)

// Header is one header of the sender.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Observation is an event's entry, with what the mapping used to get there.
type Observation struct {
	Entry
	DeliveryID string `json:"delivery_id,omitempty" doc:"The provider's id of the delivery, which tells duplicates"`
	Rule       string `json:"rule,omitempty" doc:"The rule of the mapping that matched"`
}

// QuarantineReason says why an event could not be placed.
type QuarantineReason struct {
	Code   string `json:"code" doc:"Why, as a stable word"`
	Reason string `json:"reason" doc:"Why, for people; it may quote the payload"`
}
