package timeline

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

var errTruncated = errors.New("row is cut short or has bytes left over")

// Flags of an entry, as stored.
const (
	flagLate = 1 << iota
	flagSkewed
	flagOccurred       // OccurredAt is there
	flagOccurredIsTime // and equals the effective time, so it is not stored again
	flagDuplicates
	flagDetail
	flagRule
	flagDelivery
)

// bitRedacted is Entry.Redacted. The byte of flags is full, so it stands beside the facets' values; a
// sixth facet begins above it. Entries of events that are not redacted are as they were before it.
const bitRedacted = 1 << 15

// AppendEntry appends the value of e's row; the key is stored in the row's key.
func AppendEntry(dst []byte, e *Entry) []byte {
	var flags byte
	set := func(on bool, bit byte) {
		if on {
			flags |= bit
		}
	}
	set(e.Late, flagLate)
	set(e.Skewed, flagSkewed)
	set(e.HasOccurred, flagOccurred)
	atKey := e.HasOccurred && !e.Skewed
	set(atKey, flagOccurredIsTime)
	set(e.Duplicates > 0, flagDuplicates)
	set(e.Detail != providers.Detail{}, flagDetail)
	set(e.Rule != "", flagRule)
	set(e.Delivery != "", flagDelivery)
	dst = append(dst, flags)
	dst = append(dst, e.Event[:]...)
	dst = binary.AppendVarint(dst, e.ReceivedAt-e.Key.Effective)
	if e.HasOccurred && !atKey {
		dst = binary.AppendVarint(dst, e.OccurredAt.Seconds)
		dst = binary.AppendUvarint(dst, uint64(e.OccurredAt.Nanos))
	}
	if e.Duplicates > 0 {
		dst = binary.AppendUvarint(dst, uint64(e.Duplicates))
		dst = binary.AppendUvarint(dst, uint64(e.Conflicts))
		dst = binary.AppendVarint(dst, e.LastReceivedAt-e.Key.Effective)
		dst = binary.AppendUvarint(dst, e.LastPosition)
	}
	var sets uint64 // three bits a facet
	for f := len(e.Sets) - 1; f >= 0; f-- {
		sets = sets<<3 | uint64(e.Sets[f])
	}
	if e.Redacted {
		sets |= bitRedacted
	}
	dst = binary.AppendUvarint(dst, sets)
	dst = appendText(dst, e.Type)
	if e.Delivery != "" {
		dst = appendText(dst, e.Delivery)
	}
	if e.Rule != "" {
		dst = appendText(dst, e.Rule)
	}
	if flags&flagDetail != 0 {
		dst = AppendDetail(dst, &e.Detail)
	}
	return dst
}

// DecodeEntry reads a row. The texts of e are copies unless lean, in which case
// only what a Summary needs is read and the texts are left alone.
func DecodeEntry(k Key, row []byte, e *Entry, lean bool) error {
	if len(row) < 17 {
		return errTruncated
	}
	flags := row[0]
	*e = Entry{Key: k, Late: flags&flagLate != 0, Skewed: flags&flagSkewed != 0, HasOccurred: flags&flagOccurred != 0}
	copy(e.Event[:], row[1:17])
	d := decoder{b: row[17:]}
	e.ReceivedAt = k.Effective + d.varint()
	switch {
	case flags&flagOccurredIsTime != 0:
		e.OccurredAt = InstantOf(k.Effective)
	case e.HasOccurred:
		e.OccurredAt.Seconds = d.varint()
		e.OccurredAt.Nanos = int32(d.uvarint())
	}
	if flags&flagDuplicates != 0 {
		e.Duplicates = uint32(d.uvarint())
		e.Conflicts = uint32(d.uvarint())
		e.LastReceivedAt = k.Effective + d.varint()
		e.LastPosition = d.uvarint()
	}
	sets := d.uvarint()
	e.Redacted = sets&bitRedacted != 0
	for f := range e.Sets {
		e.Sets[f] = providers.Value(sets & 7)
		sets >>= 3
	}
	if lean {
		return d.err
	}
	e.Type = d.text()
	if flags&flagDelivery != 0 {
		e.Delivery = d.text()
	}
	if flags&flagRule != 0 {
		e.Rule = d.text()
	}
	if flags&flagDetail != 0 {
		d.detail(&e.Detail)
	}
	return d.done()
}

// AppendDetail appends the texts and the time of a Detail.
func AppendDetail(dst []byte, t *providers.Detail) []byte {
	dst = appendText(dst, t.Reason)
	dst = appendText(dst, t.Code)
	dst = appendText(dst, t.Message)
	dst = appendText(dst, t.RequestID)
	if t.ExpiresAt.IsZero() {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	dst = binary.AppendVarint(dst, t.ExpiresAt.Unix())
	return binary.AppendUvarint(dst, uint64(t.ExpiresAt.Nanosecond()))
}

// DecodeDetail reads what AppendDetail wrote and returns the bytes behind it.
func DecodeDetail(b []byte, t *providers.Detail) ([]byte, error) {
	d := decoder{b: b}
	d.detail(t)
	return d.b, d.err
}

func appendText(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// InstantOf returns the instant of nanoseconds since 1970.
func InstantOf(ns int64) Instant {
	t := time.Unix(0, ns)
	return Instant{Seconds: t.Unix(), Nanos: int32(t.Nanosecond())}
}

// Time returns the instant as a time in UTC.
func (i Instant) Time() time.Time { return time.Unix(i.Seconds, int64(i.Nanos)).UTC() }

// EventID returns the id of the event as the contract writes it.
func (e *Entry) EventID() string { return ulid.ULID(e.Event).String() }
