package api

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
)

// list is what a cursor belongs to: one list under one set of filters. A cursor
// holds the place where the list goes on, and not how much was read, so that it
// stays valid while events arrive; the limit may change from page to page.
type list struct {
	hash xxhash.Digest
}

const cursorVersion = 1

// newList names a list by its path and its filters, each as one text.
func newList(path string, filters ...string) *list {
	l := new(list)
	l.hash.Reset()
	l.add(path)
	for _, f := range filters {
		l.add(f)
	}
	return l
}

// any adds a filter of which one value must hold, in any order.
func (l *list) any(values []string) *list {
	values = slices.Clone(values)
	slices.Sort(values)
	l.addLen(len(values))
	for _, v := range values {
		l.add(v)
	}
	return l
}

// between adds a filter by time.
func (l *list) between(from, to time.Time) *list {
	l.add(from.UTC().Format(time.RFC3339Nano))
	l.add(to.UTC().Format(time.RFC3339Nano))
	return l
}

func (l *list) add(s string) {
	l.addLen(len(s))
	_, _ = l.hash.WriteString(s) // it never fails
}

func (l *list) addLen(n int) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	_, _ = l.hash.Write(b[:])
}

// sum binds a place to the list.
func (l *list) sum(place []byte) uint64 {
	h := l.hash
	_, _ = h.Write(place)
	return h.Sum64()
}

// cursor returns the text of a place, nil for nil.
func (l *list) cursor(place []byte) *string {
	if place == nil {
		return nil
	}
	b := binary.BigEndian.AppendUint64([]byte{cursorVersion}, l.sum(place))
	text := base64.RawURLEncoding.EncodeToString(append(b, place...))
	return &text
}

// place returns the place that a cursor of this list holds, nil for "". The
// error is a Problem for a text that is not one.
func (l *list) place(cursor string) ([]byte, error) {
	if cursor == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) < 9 || b[0] != cursorVersion || binary.BigEndian.Uint64(b[1:]) != l.sum(b[9:]) {
		return nil, &Problem{Status: http.StatusBadRequest, Code: CodeInvalidCursor,
			Detail: "This is not a cursor of this query. Send the text of next as it was given, with the same filters, or leave the cursor out to begin anew."}
	}
	return b[9:], nil
}
