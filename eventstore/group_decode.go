package eventstore

import (
	"bytes"
	"fmt"
	"slices"
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

// maxInterned bounds the names a Decoder remembers. Sources, schemes and allow-listed
// header names come from the configuration, so a log holds few of them.
const maxInterned = 4096

// Decoder reads commit groups. It remembers the names it met, so decoding a log
// allocates nothing per event. The zero value is ready to use. Not safe for concurrent use.
type Decoder struct {
	names   map[string]string // of sources and schemes, validated
	headers map[string]string // names of headers, validated
}

// Decode reads a message into g: its ID, Events and Size; Position is left alone.
// The memory of g.Events and of each event's Headers is used again. Bodies and header
// values alias msg: they are valid as long as msg keeps its content.
//
// Anything that AppendGroup would not have written (a checksum that does not
// match, a wrong count, trailing bytes, another spelling of a number, an unknown version or
// kind) is an ErrIntegrity that names the event by its index; g then holds nothing of use.
func (d *Decoder) Decode(msg []byte, g *Group) error {
	s := scanner{rest: msg}
	count, err := groupLine(&s, msg, g)
	if err != nil {
		return fmt.Errorf("%w: group's first line: %w", ErrIntegrity, err)
	}
	g.Events = slices.Grow(g.Events[:0], count)[:count]
	for i := range g.Events {
		if err := d.event(&s, &g.Events[i]); err != nil {
			return fmt.Errorf("%w: event %d of %d: %w", ErrIntegrity, i, count, err)
		}
	}
	if len(s.rest) > 0 {
		return fmt.Errorf("%w: %d bytes follow the last of %d events", ErrIntegrity, len(s.rest), count)
	}
	g.Size = len(msg)
	return nil
}

// groupLine reads the first line and returns the number of events.
func groupLine(s *scanner, msg []byte, g *Group) (int, error) {
	if !s.literal(groupPrefix) {
		return 0, groupVersionError(msg)
	}
	if !s.ulid(&g.ID) {
		return 0, errBadULID
	}
	count, ok := s.number(' ')
	if !ok || count == 0 {
		return 0, errBadCount
	}
	if err := s.checksum(msg[:len(msg)-len(s.rest)], '\n'); err != nil {
		return 0, err
	}
	if count > len(s.rest)/minEventSize {
		return 0, fmt.Errorf("%d bytes cannot hold %d events", len(s.rest), count)
	}
	return count, nil
}

// event reads one event. Lengths are checked against what is left first, then the checksum, so
// whatever is read after that is what was written.
func (d *Decoder) event(s *scanner, e *Event) error {
	sum, ok := s.hex(' ')
	if !ok {
		return errBadChecksum
	}
	covered := s.rest
	if !s.literal(kindWebhook) {
		return kindError(s.rest)
	}
	if !s.ulid(&e.ID) {
		return errBadULID
	}
	source, ok := s.word()
	if !ok {
		return errBadSource
	}
	verified, ok := s.word()
	if !ok {
		return errBadVerified
	}
	if !s.time(&e.ReceivedAt) {
		return errBadTime
	}
	headerBytes, ok := s.number(' ')
	if !ok {
		return errBadHeaderBytes
	}
	bodyBytes, ok := s.number('\n')
	if !ok {
		return errBadBodyBytes
	}
	if headerBytes+bodyBytes >= len(s.rest) {
		return fmt.Errorf("cut short: %d bytes of headers and %d of body are announced, %d bytes are left", headerBytes, bodyBytes, len(s.rest))
	}
	headers := s.rest[:headerBytes]
	e.Body = s.rest[headerBytes : headerBytes+bodyBytes : headerBytes+bodyBytes]
	s.rest = s.rest[headerBytes+bodyBytes:]
	if got := xxhash.Sum64(covered[:len(covered)-len(s.rest)]); got != sum {
		return checksumError(sum, got)
	}
	if !s.literal("\n") {
		return errNoNewline
	}
	if e.Source, ok = d.name(source); !ok {
		return errBadSource
	}
	if e.Verified, ok = d.name(verified); !ok {
		return errBadVerified
	}
	return d.headerLines(headers, e)
}

// headerLines reads "Name: value\n" until block is used up.
func (d *Decoder) headerLines(block []byte, e *Event) error {
	e.Headers = e.Headers[:0]
	if bytes.IndexByte(block, '\r') >= 0 || bytes.IndexByte(block, 0) >= 0 {
		return errBadHeaderValue
	}
	for len(block) > 0 {
		colon := bytes.IndexByte(block, ':')
		end := bytes.IndexByte(block, '\n')
		if colon < 0 || end < colon+2 || block[colon+1] != ' ' {
			return fmt.Errorf("header %d is not a line of name, colon, space and value", len(e.Headers))
		}
		name, ok := intern(&d.headers, block[:colon], ValidHeaderName)
		if !ok {
			return fmt.Errorf("header name %.80q is not an HTTP token", block[:colon])
		}
		e.Headers = append(e.Headers, Header{Name: name, Value: aliasString(block[colon+2 : end])})
		block = block[end+1:]
	}
	return nil
}

func (d *Decoder) name(word []byte) (string, bool) { return intern(&d.names, word, ValidName) }

// intern returns the remembered string equal to word; a new one has to be valid.
func intern(known *map[string]string, word []byte, valid func(string) bool) (string, bool) {
	if s, ok := (*known)[string(word)]; ok {
		return s, true
	}
	s := string(word)
	if !valid(s) {
		return "", false
	}
	if *known == nil || len(*known) >= maxInterned {
		*known = make(map[string]string)
	}
	(*known)[s] = s
	return s, true
}

// aliasString returns b's bytes as a string without a copy: the string lives and
// changes with the message, which is what Decode promises of header values.
func aliasString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
