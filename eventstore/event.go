package eventstore

import (
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// Position is the place of a commit group in the log: the sequence of its
// stream message. Positions are contiguous; the first is 1 and 0 means "before
// the first". All events of one group share a position and are told apart by
// their index in the group.
type Position uint64

// Header is one HTTP header of the sender, kept beside the body because the
// source's allow-list names it. Name is spelled as the allow-list spells it;
// Value holds no CR, LF or NUL.
type Header struct {
	Name  string
	Value string
}

// Event is the immutable fact in the log: one webhook as it was received.
type Event struct {
	// ID names the event for ever. Its time part is ReceivedAt in milliseconds.
	ID ulid.ULID
	// Source is the configured entry point: [a-z0-9] then [a-z0-9_-], at most 64 bytes.
	Source string
	// ReceivedAt is our clock at acceptance, UTC, nanoseconds.
	ReceivedAt time.Time
	// Verified says how the sender proved itself: the scheme's name
	// ("hmac", "standard-webhooks", "token", "basic") or "none".
	Verified string
	// Headers are the allow-listed headers, in the allow-list's order, and behind
	// them those that ingest itself stores, RedactedHeader last.
	Headers []Header
	// Body is the exact decoded payload: the bytes after Content-Encoding was
	// undone, before anything else looked at them. Only where Redacted, values in it were replaced.
	Body []byte
}

// RedactedHeader is stored by ingest, as the last header, where it replaced fields of
// the body by keyed hashes. Its value is their number, or RedactedBody.
// No header of a sender is stored under this name.
const (
	RedactedHeader = "Tidemark-Redacted"
	RedactedBody   = "body" // all of the body was replaced
)

// Redacted reports whether the body is not what the sender sent: fields of it, or all of it, were
// replaced by keyed hashes before it was stored.
func (e *Event) Redacted() bool {
	return len(e.Headers) > 0 && e.Headers[len(e.Headers)-1].Name == RedactedHeader
}

// Header returns the value of the stored header of that name, however it is
// spelled; "" where there is none.
func (e *Event) Header(name string) string {
	for i := range e.Headers {
		if strings.EqualFold(e.Headers[i].Name, name) {
			return e.Headers[i].Value
		}
	}
	return ""
}

// Receipt says where an appended event stands in the log.
type Receipt struct {
	Position Position
	Index    int
}

// Record is an event as read back, with its place in the log.
type Record struct {
	Event
	Position Position
	// Index is the event's place in its commit group, from 0.
	Index int
}

// Group is one message of the log: the events that were waiting when it was written.
type Group struct {
	Position Position
	// ID is the group's ULID, also the Nats-Msg-Id under which it was published.
	ID ulid.ULID
	// Events are in the order they were accepted. Their Body and Headers may
	// alias the message: they are valid until the next call of Cursor.Next.
	Events []Event
	// Size is the length of the message in bytes.
	Size int
}
