package eventstore

import (
	"context"
	"errors"
)

// Errors a store returns. Compare with errors.Is.
var (
	// ErrUnavailable means the event was not stored, or that nobody can say
	// whether it was, within the time allowed. The sender should try again: 503.
	ErrUnavailable = errors.New("log unavailable")
	// ErrBusy is an ErrUnavailable: too many appends are waiting already.
	ErrBusy = unavailable("too many events are waiting to be stored")
	// ErrClosed is an ErrUnavailable: the store is shutting down.
	ErrClosed = unavailable("log is shutting down")
	// ErrDiskLow is an ErrUnavailable: free disk space is below the low-water mark.
	ErrDiskLow = unavailable("disk space is below the low-water mark")
	// ErrTooLarge means the event can never be stored: it exceeds the largest message.
	ErrTooLarge = errors.New("event exceeds the largest message of the log")
	// ErrNotFound means the log holds no group at that position.
	ErrNotFound = errors.New("no group at this position")
	// ErrIdle is returned by Cursor.Next when it has waited for the cursor's
	// idle time and nothing came. The cursor stays usable.
	ErrIdle = errors.New("nothing arrived")
	// ErrIntegrity is damage: a gap or a repeat in positions, a bad checksum, a
	// message that does not parse, or a head behind what was already read.
	ErrIntegrity = errors.New("integrity failure")
)

type unavailableError struct{ msg string }

func unavailable(msg string) error        { return &unavailableError{msg} }
func (e *unavailableError) Error() string { return e.msg }
func (e *unavailableError) Unwrap() error { return ErrUnavailable }

// Appender adds events to the log.
type Appender interface {
	// Append stores one event. When it returns nil the event is fsynced as far
	// as Durability says. Events that wait together share one message. It
	// returns an ErrUnavailable (or one that wraps it), ErrTooLarge, or ctx's
	// error; after any error but ErrBusy, ErrDiskLow, ErrTooLarge and ErrClosed the event may
	// still turn up in the log. Safe for concurrent use. The event's Body must not
	// change until Append returns.
	Append(ctx context.Context, e Event) (Receipt, error)
}

// Reader reads the log.
type Reader interface {
	// Head returns the position of the last group, 0 for an empty log.
	Head(ctx context.Context) (Position, error)
	// At returns the group at one position. The group owns its memory.
	// It returns ErrNotFound where there is none and ErrIntegrity where it is damaged.
	At(ctx context.Context, p Position) (Group, error)
	// Follow opens a cursor on everything behind after, including what is yet to come.
	Follow(ctx context.Context, after Position) (Cursor, error)
}

// Cursor delivers groups in order of position without a gap.
type Cursor interface {
	// Next returns the next group, waiting for it for at most the cursor's idle
	// time (ErrIdle) and as long as ctx lives. A damaged, missing or repeated group is an
	// ErrIntegrity that names the position; the cursor then stays where it is and
	// returns the same error again. The log being out of reach is an ErrUnavailable: the
	// caller may call Next again, and the cursor goes on where it stood.
	Next(ctx context.Context) (Group, error)
	// Buffered reports how many groups Next can return without waiting. It is a
	// hint for batching: it never overstates.
	Buffered() int
	// Close frees the cursor. It does not wait for a Next under way.
	Close() error
}

// Durability says what an acknowledgement is worth, as read back from the
// running server.
type Durability struct {
	// Kind is "embedded", "external" or "memory".
	Kind string `json:"kind"`
	// SyncAlways is true when every message is fsynced before it is acknowledged;
	// false when it is not, or when the server would not say (Known is false).
	SyncAlways bool `json:"sync_always"`
	// Known is false when the server's sync setting could not be read.
	Known bool `json:"known"`
	// SyncInterval is the server's own word for its setting, e.g. "always" or "2m0s".
	SyncInterval string `json:"sync_interval,omitempty"`
	// Replicas is the number of copies the stream keeps.
	Replicas int `json:"replicas"`
}
