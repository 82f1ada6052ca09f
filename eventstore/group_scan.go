package eventstore

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/oklog/ulid/v2"
)

var (
	errBadULID        = errors.New("not a ULID in its canonical form")
	errBadCount       = errors.New("not a count of events")
	errBadChecksum    = errors.New("not a checksum of 16 lower-case hex digits")
	errBadSource      = errors.New("source is not a name")
	errBadVerified    = errors.New("verification scheme is not a name")
	errBadTime        = errors.New("received_at is not RFC 3339 in UTC in its shortest form")
	errBadHeaderBytes = errors.New("not a number of header bytes")
	errBadBodyBytes   = errors.New("not a number of body bytes")
	errBadHeaderValue = errors.New("a header holds a CR or NUL")
	errNoNewline      = errors.New("no newline behind the body")
)

func checksumError(written, got uint64) error {
	return fmt.Errorf("checksum mismatch: written %016x, the content has %016x", written, got)
}

// groupVersionError says why a message does not begin as a group that this build reads.
func groupVersionError(msg []byte) error {
	version, ok := bytes.CutPrefix(msg, []byte(groupMagic))
	if !ok {
		return fmt.Errorf("it begins with %q, a commit group with %q", msg[:min(len(msg), len(groupMagic))], groupMagic)
	}
	version, _, _ = bytes.Cut(version[:min(len(version), 20)], []byte(" "))
	return fmt.Errorf("format version %q is unknown to this build, which reads version 1: a newer tidemark wrote it, or it is damaged", version)
}

// kindError says that the event's kind is not one that this build reads.
func kindError(rest []byte) error {
	kind, _, _ := bytes.Cut(rest[:min(len(rest), 20)], []byte(" "))
	return fmt.Errorf("kind %q is unknown to this build, which reads \"webhook\": a newer tidemark wrote it, or it is damaged", kind)
}

// scanner reads a message from the front. Every method accepts exactly one
// spelling of a value and reports false, where it stands undefined, for any other.
type scanner struct{ rest []byte }

func (s *scanner) literal(want string) bool {
	if len(s.rest) < len(want) || string(s.rest[:len(want)]) != want {
		return false
	}
	s.rest = s.rest[len(want):]
	return true
}

// word reads up to the next space and past it. It does not look further than a name may reach.
func (s *scanner) word() ([]byte, bool) {
	for i, c := range s.rest[:min(len(s.rest), maxName+1)] {
		if c == ' ' {
			word := s.rest[:i]
			s.rest = s.rest[i+1:]
			return word, true
		}
	}
	return nil, false
}

// number reads a decimal number without sign and leading zeros, and the byte end behind it.
func (s *scanner) number(end byte) (int, bool) {
	n := 0
	for i, c := range s.rest[:min(len(s.rest), maxDigits+1)] {
		if c == end && i > 0 {
			leadingZero := s.rest[0] == '0' && i > 1
			s.rest = s.rest[i+1:]
			return n, !leadingZero
		}
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return 0, false
}

// hex reads a checksum and the byte end behind it.
func (s *scanner) hex(end byte) (uint64, bool) {
	if len(s.rest) <= checksumSize || s.rest[checksumSize] != end {
		return 0, false
	}
	var sum uint64
	var bad byte
	for _, c := range s.rest[:checksumSize] {
		v := hexValue[c]
		bad |= v
		sum = sum<<4 | uint64(v&15)
	}
	s.rest = s.rest[checksumSize+1:]
	return sum, bad < notADigit
}

// checksum reads a checksum, the byte end behind it, and compares it with covered.
func (s *scanner) checksum(covered []byte, end byte) error {
	sum, ok := s.hex(end)
	if !ok {
		return errBadChecksum
	}
	if got := xxhash.Sum64(covered); got != sum {
		return checksumError(sum, got)
	}
	return nil
}

// ulid reads a ULID in upper case and the space behind it. The library's parser would
// also take lower case.
func (s *scanner) ulid(id *ulid.ULID) bool {
	if len(s.rest) <= ulidSize || s.rest[ulidSize] != ' ' || s.rest[0] > '7' {
		return false
	}
	// 26 digits of 5 bits are 130 bits; the first digit gives only its low three.
	var hi, lo uint64
	var bad byte
	for _, c := range s.rest[:ulidSize] {
		v := crockfordValue[c]
		bad |= v
		hi = hi<<5 | lo>>59
		lo = lo<<5 | uint64(v&31)
	}
	for i := range 8 {
		id[i] = byte(hi >> (56 - 8*i))
		id[8+i] = byte(lo >> (56 - 8*i))
	}
	s.rest = s.rest[ulidSize+1:]
	return bad < notADigit
}

// time reads an RFC 3339 time in UTC with the shortest fraction, as
// time.RFC3339Nano writes it, and the space behind it.
func (s *scanner) time(t *time.Time) bool {
	const whole = len("2006-01-02T15:04:05")
	b := s.rest
	if len(b) < whole+2 || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return false
	}
	century, ok0 := twoDigits(b[0], b[1])
	year, ok1 := twoDigits(b[2], b[3])
	month, ok2 := twoDigits(b[5], b[6])
	day, ok3 := twoDigits(b[8], b[9])
	hour, ok4 := twoDigits(b[11], b[12])
	minute, ok5 := twoDigits(b[14], b[15])
	second, ok6 := twoDigits(b[17], b[18])
	year += 100 * century
	if !(ok0 && ok1 && ok2 && ok3 && ok4 && ok5 && ok6) || month < 1 || month > 12 ||
		day < 1 || day > daysIn(year, time.Month(month)) || hour > 23 || minute > 59 || second > 59 {
		return false
	}
	b = b[whole:]
	nanos := 0
	if b[0] == '.' {
		digits, scale := 0, 1_000_000_000
		for digits+1 < len(b) && digits < 9 && b[digits+1] >= '0' && b[digits+1] <= '9' {
			digits++
			nanos = nanos*10 + int(b[digits]-'0')
			scale /= 10
		}
		if digits == 0 || b[digits] == '0' {
			return false
		}
		nanos *= scale
		b = b[digits+1:]
	}
	if len(b) < 2 || b[0] != 'Z' || b[1] != ' ' {
		return false
	}
	s.rest = b[2:]
	*t = time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	return true
}

func twoDigits(tens, ones byte) (int, bool) {
	t, o := tens-'0', ones-'0'
	return int(t)*10 + int(o), t <= 9 && o <= 9
}

// notADigit marks a byte that is no digit; it lies above every digit's value.
const notADigit = 0x80

var (
	hexValue       = digitValues("0123456789abcdef")
	crockfordValue = digitValues(ulid.Encoding)
)

func digitValues(digits string) (values [256]byte) {
	for i := range values {
		values[i] = notADigit
	}
	for i := range len(digits) {
		values[digits[i]] = byte(i)
	}
	return values
}
