package providers

import (
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// candidates are the signatures of one request, still encoded.
type candidates struct {
	text [maxSignatures]string
	n    int
}

func (c *candidates) add(s string) error {
	if c.n == maxSignatures {
		return fmt.Errorf("%w: more than %d signatures", ErrMalformed, maxSignatures)
	}
	c.text[c.n] = s
	c.n++
	return nil
}

// one returns the value of a header that must stand there once.
func one(header http.Header, name string) (string, error) {
	switch values := header[name]; {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return "", fmt.Errorf("%w: no header %s", ErrNoSignature, name)
	case len(values) > 1:
		return "", fmt.Errorf("%w: the header %s stands there %d times", ErrMalformed, name, len(values))
	case len(values[0]) > maxHeader:
		return "", fmt.Errorf("%w: the header %s is longer than %d bytes", ErrMalformed, name, maxHeader)
	default:
		return values[0], nil
	}
}

// unixHeader reads a timestamp that is digits and nothing else: it is signed as
// it is spelled, and no other spelling of the same instant is let through.
func unixHeader(s, unit string) (time.Time, error) {
	var n int64
	for i := range len(s) {
		if !isDigit(s[i]) {
			n = -1
			break
		}
		n = n*10 + int64(s[i]-'0')
	}
	if s == "" || len(s) > 16 || n < 0 {
		return time.Time{}, fmt.Errorf("%w: the timestamp is not a unix time in digits", ErrMalformed)
	}
	if unit == "ms" || unit == "auto" && n >= 100_000_000_000 {
		return time.UnixMilli(n), nil
	}
	return time.Unix(n, 0), nil
}

// inWindow reports whether at is within the tolerance of now, both ways.
func inWindow(at, now time.Time, tolerance time.Duration) error {
	if d := now.Sub(at); d > tolerance || d < -tolerance {
		return fmt.Errorf("%w: signed at %s, %s from our clock, and %s are allowed",
			ErrOutsideWindow, at.UTC().Format(time.RFC3339), d.Abs().Round(time.Second), tolerance)
	}
	return nil
}

var strictBase64 = base64.RawStdEncoding.Strict()

// decodeSignature fills dst from a signature's text and reports whether the
// text is the encoding of exactly that many bytes. Hex of either case; base64 of
// either alphabet, padded or not, without loose bits at its end.
func decodeSignature(dst []byte, text, encoding string) bool {
	if encoding == "hex" {
		if len(text) != 2*len(dst) {
			return false
		}
		for i := range dst {
			high, low := hexDigit(text[2*i]), hexDigit(text[2*i+1])
			if high < 0 || low < 0 {
				return false
			}
			dst[i] = byte(high<<4 | low)
		}
		return true
	}
	var plain [4 * (sha512.Size/3 + 1)]byte
	size := base64.RawStdEncoding.EncodedLen(len(dst))
	if padding := len(text) - size; padding != 0 {
		// Padded to a multiple of four, or not at all.
		if padding < 0 || len(text)%4 != 0 || padding > 2 || strings.Trim(text[size:], "=") != "" {
			return false
		}
	}
	for i := range size {
		switch c := text[i]; c {
		case '-':
			plain[i] = '+'
		case '_':
			plain[i] = '/'
		case '\r', '\n':
			return false
		default:
			plain[i] = c
		}
	}
	n, err := strictBase64.Decode(dst, plain[:size])
	return err == nil && n == len(dst)
}
