package eventstore

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/oklog/ulid/v2"
)

// A commit group is written as text that a person can read in `nats stream
// view`; docs/FORMAT.md is its specification:
//
//	tidemark-group/1 <group ULID> <event count> <xxh64>\n
//	<xxh64> webhook <ULID> <source> <verified> <received_at> <header bytes> <body bytes>\n
//	Name: value\n
//	<body>\n
//
// The first checksum covers its line up to itself; an event's covers all that
// follows it up to the end of the body. Every value has exactly one spelling, so
// what decodes encodes to the same bytes.
const (
	groupMagic  = "tidemark-group/"
	groupPrefix = groupMagic + "1 "
	kindWebhook = "webhook "

	checksumSize = 16 // xxh64 as lower-case hex
	ulidSize     = ulid.EncodedSize
	maxDigits    = 9 // of a count or a length: more than a message can hold, and two lengths fit in 31 bits
)

// GroupOverhead is an upper bound of the bytes a group takes beside its events.
// A group is never longer than GroupOverhead and the EncodedSize of each event.
const GroupOverhead = len(groupPrefix) + ulidSize + 1 + maxDigits + 1 + checksumSize + 1

// eventOverhead bounds what an event takes beside its names, headers and body.
const eventOverhead = checksumSize + 1 + len(kindWebhook) + ulidSize + 1 +
	1 + 1 + len(time.RFC3339Nano) + 1 + maxDigits + 1 + maxDigits + 1 + 1

// minEventSize is less than any event takes, of whatever kind: it bounds a count before
// memory is set aside for it.
const minEventSize = 64

// EncodedSize returns an upper bound of the bytes that e takes in a group.
func EncodedSize(e *Event) int {
	return eventOverhead + len(e.Source) + len(e.Verified) + headerSize(e.Headers) + len(e.Body)
}

// headerSize returns the exact size of the encoded headers.
func headerSize(headers []Header) int {
	n := 0
	for i := range headers {
		n += len(headers[i].Name) + len(": ") + len(headers[i].Value) + len("\n")
	}
	return n
}

// AppendGroup appends the group's message to dst and returns the extended slice.
// An event that has no place in the format (see Event.Validate) or an empty group is
// an ErrInvalid that names the event; dst is then returned as it was.
func AppendGroup(dst []byte, id ulid.ULID, events []Event) ([]byte, error) {
	if len(events) == 0 {
		return dst, fmt.Errorf("%w: a commit group holds at least one event", ErrInvalid)
	}
	size := GroupOverhead
	for i := range events {
		if err := events[i].Validate(); err != nil {
			return dst, fmt.Errorf("event %d of %d: %w", i, len(events), err)
		}
		size += EncodedSize(&events[i])
	}
	dst = slices.Grow(dst, size)

	start := len(dst)
	dst = append(dst, groupPrefix...)
	dst = appendULID(dst, id)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, int64(len(events)), 10)
	dst = append(dst, ' ')
	dst = appendChecksum(dst, xxhash.Sum64(dst[start:]))
	dst = append(dst, '\n')
	for i := range events {
		dst = appendEvent(dst, &events[i])
	}
	return dst, nil
}

// appendEvent writes one validated event.
func appendEvent(dst []byte, e *Event) []byte {
	// The checksum stands in front of what it covers, so its place is kept free first.
	place := len(dst)
	dst = append(dst, "0000000000000000 "...)
	covered := len(dst)

	dst = append(dst, kindWebhook...)
	dst = appendULID(dst, e.ID)
	dst = append(dst, ' ')
	dst = append(dst, e.Source...)
	dst = append(dst, ' ')
	dst = append(dst, e.Verified...)
	dst = append(dst, ' ')
	dst = e.ReceivedAt.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, int64(headerSize(e.Headers)), 10)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, int64(len(e.Body)), 10)
	dst = append(dst, '\n')
	for i := range e.Headers {
		dst = append(dst, e.Headers[i].Name...)
		dst = append(dst, ": "...)
		dst = append(dst, e.Headers[i].Value...)
		dst = append(dst, '\n')
	}
	dst = append(dst, e.Body...)

	appendChecksum(dst[:place], xxhash.Sum64(dst[covered:]))
	return append(dst, '\n')
}

func appendULID(dst []byte, id ulid.ULID) []byte {
	var text [ulidSize]byte
	_ = id.MarshalTextTo(text[:]) // it fails only for a buffer of another size
	return append(dst, text[:]...)
}

// appendChecksum writes sum as checksumSize lower-case hex digits.
func appendChecksum(dst []byte, sum uint64) []byte {
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], sum)
	return hex.AppendEncode(dst, raw[:])
}
