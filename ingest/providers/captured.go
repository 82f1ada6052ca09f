package providers

import (
	"sort"
	"strings"
)

// capturedSignature is a text of the request that has the form of a signature.
type capturedSignature struct {
	Construction // header, prefix, separator, key, algorithm, encoding
	bytes        []byte
	caveat       string
}

// capturedPlace is a text that may be an id or a timestamp.
type capturedPlace struct{ header, key, value string }

// collect goes through the headers for what may be signatures, ids and timestamps.
func (s *search) collect() {
	for name := range s.request.Header {
		s.names = append(s.names, name)
	}
	sort.Strings(s.names)
	if len(s.names) > searchHeaders {
		s.names = s.names[:searchHeaders]
	}
	for _, name := range s.names {
		for _, value := range s.request.Header[name] {
			if len(value) > maxHeader {
				continue
			}
			if len(value) <= 16 && value != "" && digits([]byte(value), 0) == len(value) {
				s.times = place1(s.times, capturedPlace{header: name, value: value})
			}
			if strings.HasSuffix(strings.ToLower(name), "id") || strings.HasSuffix(strings.ToLower(name), "-delivery") {
				s.ids = place1(s.ids, capturedPlace{header: name, value: value})
			}
			s.takeApart(name, value)
		}
	}
}

func place1(list []capturedPlace, p capturedPlace) []capturedPlace {
	if len(list) < searchPlaces {
		list = append(list, p)
	}
	return list
}

// takeApart looks for signatures in a header's value: the value, what follows a
// prefix like sha256=, entries key=value, and Standard Webhooks' lists.
func (s *search) takeApart(header, value string) {
	s.addSignature(Construction{Header: header}, value)
	if i := strings.IndexByte(value, '='); i > 0 && i < 16 && !strings.Contains(value, ",") {
		s.addSignature(Construction{Header: header, Prefix: value[:i+1]}, value[i+1:])
	}
	for _, separator := range []string{",", ";", " "} {
		entries := strings.SplitN(value, separator, 2*maxSignatures+1)
		if len(entries) == 1 && separator != " " {
			continue
		}
		for _, entry := range entries {
			entry = strings.Trim(entry, " \t")
			if version, text, ok := strings.Cut(entry, ","); ok && separator == " " {
				s.addSignature(Construction{Header: header, Separator: separator, Prefix: version + ","}, text)
				continue
			}
			key, text, ok := strings.Cut(entry, "=")
			if !ok {
				continue
			}
			if digits([]byte(text), 0) == len(text) && text != "" && len(text) <= 16 {
				s.times = place1(s.times, capturedPlace{header: header, key: key, value: text})
			}
			s.addSignature(Construction{Header: header, Separator: separator, Key: key}, text)
		}
	}
}

// addSignature keeps a text that is the encoding of a hash's length in bytes.
func (s *search) addSignature(c Construction, text string) {
	for _, algorithm := range []string{"sha256", "sha1", "sha512"} {
		for _, encoding := range []string{"hex", "base64"} {
			sum := make([]byte, hashOf(algorithm)().Size())
			if len(s.signatures) == searchSignatures || !decodeSignature(sum, text, encoding) {
				continue
			}
			c.Algorithm, c.Encoding = algorithm, encoding
			if encoding == "base64" && strings.ContainsAny(text, "-_") {
				c.Encoding = "base64url"
			}
			s.signatures = append(s.signatures, capturedSignature{c, sum, ""})
		}
		s.addTwiceEncoded(c, algorithm, text)
	}
}

// addTwiceEncoded keeps a text that is base64 of the hex of a hash.
func (s *search) addTwiceEncoded(c Construction, algorithm, text string) {
	size := hashOf(algorithm)().Size()
	if len(s.signatures) == searchSignatures || len(text) > 4*size {
		return
	}
	inner, err := decodeBase64(text)
	sum := make([]byte, size)
	if err == nil && decodeSignature(sum, string(inner), "hex") {
		c.Algorithm, c.Encoding = algorithm, "base64"
		s.signatures = append(s.signatures, capturedSignature{c, sum, "the hash is right and written in hex, and that in base64 once more: no definition describes that"})
	}
}

// holdsHex reports whether a header's value ends with a text in hex, of either case.
func holdsHex(value, text string) bool {
	return len(value) >= len(text) && strings.EqualFold(value[len(value)-len(text):], text)
}
