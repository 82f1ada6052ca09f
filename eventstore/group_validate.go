package eventstore

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrInvalid means the event has no place in the log's format, whatever the
// state of the log: the caller made it wrong.
var ErrInvalid = errors.New("event cannot be written")

// maxName bounds a source's name and a scheme's name.
const maxName = 64

// Validate says whether the event can be written to the log: its names, header
// names and header values keep to their alphabets and its time has a four-digit year.
// The error wraps ErrInvalid and never quotes a header's value.
// An appender checks each event by itself, so that a bad one does not
// take the rest of its group with it.
func (e *Event) Validate() error {
	if !ValidName(e.Source) {
		return fmt.Errorf("%w: source %.80q is not [a-z0-9] then [a-z0-9_-], at most %d bytes", ErrInvalid, e.Source, maxName)
	}
	if !ValidName(e.Verified) {
		return fmt.Errorf("%w: verification scheme %.80q is not [a-z0-9] then [a-z0-9_-], at most %d bytes", ErrInvalid, e.Verified, maxName)
	}
	if y := e.ReceivedAt.UTC().Year(); y < 0 || y > 9999 {
		return fmt.Errorf("%w: received_at lies in the year %d, not in 0 to 9999", ErrInvalid, y)
	}
	for i := range e.Headers {
		if !ValidHeaderName(e.Headers[i].Name) {
			return fmt.Errorf("%w: header name %.80q is not an HTTP token", ErrInvalid, e.Headers[i].Name)
		}
		if !ValidHeaderValue(e.Headers[i].Value) {
			return fmt.Errorf("%w: the value of header %.80s holds a CR, LF or NUL", ErrInvalid, e.Headers[i].Name)
		}
	}
	if n := headerSize(e.Headers); !fitsDigits(n) || !fitsDigits(len(e.Body)) {
		return fmt.Errorf("%w: %d bytes of headers and %d of body", ErrTooLarge, n, len(e.Body))
	}
	return nil
}

// ValidName reports whether s can name a source or a verification scheme:
// [a-z0-9] then [a-z0-9_-], at most 64 bytes.
func ValidName(s string) bool {
	if s == "" || len(s) > maxName || s[0] == '_' || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if !nameByte[s[i]] {
			return false
		}
	}
	return true
}

// ValidHeaderName reports whether s is an HTTP field name: a token of RFC 9110.
func ValidHeaderName(s string) bool {
	for i := range len(s) {
		if !tokenByte[s[i]] {
			return false
		}
	}
	return s != ""
}

// ValidHeaderValue reports whether s can stand as a header's value: it holds no
// CR, LF or NUL.
func ValidHeaderValue(s string) bool {
	return strings.IndexByte(s, '\n') < 0 && strings.IndexByte(s, '\r') < 0 && strings.IndexByte(s, 0) < 0
}

const (
	lowerDigits = "abcdefghijklmnopqrstuvwxyz0123456789"
	upper       = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

var (
	nameByte  = byteSet(lowerDigits + "_-")
	tokenByte = byteSet(lowerDigits + upper + "!#$%&'*+-.^_`|~")
)

func byteSet(members string) (set [256]bool) {
	for i := range len(members) {
		set[members[i]] = true
	}
	return set
}

// fitsDigits reports whether n has at most maxDigits digits.
func fitsDigits(n int) bool { return n < 1e9 }

// daysIn returns the number of days of a month, so that a decoded day has one spelling.
func daysIn(year int, month time.Month) int {
	switch month {
	case time.April, time.June, time.September, time.November:
		return 30
	case time.February:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	default:
		return 31
	}
}
