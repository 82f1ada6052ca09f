package keys

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"strings"
	"time"
)

// Scope is what a key may do.
type Scope string

// The scopes. Admin includes Read.
const (
	Read  Scope = "read"
	Admin Scope = "admin"
)

// ParseScope returns the scope of that name.
func ParseScope(s string) (Scope, error) {
	switch Scope(s) {
	case Read, Admin:
		return Scope(s), nil
	}
	return "", fmt.Errorf("unknown scope %q: use read or admin", s)
}

// Allows reports whether a key of scope s may do what asks for want.
func (s Scope) Allows(want Scope) bool { return s == Admin || s == want && want == Read }

// Key is what is known about one key. It does not hold the key itself.
type Key struct {
	// Name tells keys apart for people; unique in a file.
	Name string
	// Scope is what the key may do.
	Scope Scope
	// Created is when the key was made, UTC.
	Created time.Time
	hash    [sha256.Size]byte
}

// Errors of Authenticate. Compare with errors.Is.
var (
	// ErrNoKey means that the request carries no key.
	ErrNoKey = errors.New("no API key in the Authorization header")
	// ErrMalformed means that what it carries is no key of ours: wrong prefix,
	// length, alphabet or checksum. A key copied in part ends here.
	ErrMalformed = errors.New("not an API key of Tidemark, or one that was not copied whole")
	// ErrUnknownKey means that the key is well formed and not in the file.
	ErrUnknownKey = errors.New("unknown API key")
)

// A key is written prefix, 43 digits (256 bits in base 62), 6 digits (CRC-32
// of all before it). The prefix lets secret scanners find a leaked key; the
// checksum tells a typing error from a key that was revoked.
const (
	prefix    = "tidemark_"
	randDigit = 43
	sumDigit  = 6
	length    = len(prefix) + randDigit + sumDigit
	alphabet  = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// generate returns a new key's text. It fails only where random does.
func generate(random io.Reader) (string, error) {
	var raw [32]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", fmt.Errorf("read random bytes for a key: %w", err)
	}
	s := prefix + base62(new(big.Int).SetBytes(raw[:]), randDigit)
	return s + checksum(s), nil
}

// wellFormed reports whether text has the form of a key, checksum included.
// It says nothing about whether the key is known, so it need not take constant time.
func wellFormed(text string) bool {
	if len(text) != length || !strings.HasPrefix(text, prefix) {
		return false
	}
	for _, c := range []byte(text[len(prefix):]) {
		if strings.IndexByte(alphabet, c) < 0 {
			return false
		}
	}
	return checksum(text[:length-sumDigit]) == text[length-sumDigit:]
}

func checksum(s string) string {
	return base62(big.NewInt(int64(crc32.ChecksumIEEE([]byte(s)))), sumDigit)
}

// base62 writes n in exactly that many digits, zeros in front.
func base62(n *big.Int, digits int) string {
	out := make([]byte, digits)
	base, rest := big.NewInt(int64(len(alphabet))), new(big.Int)
	n = new(big.Int).Set(n)
	for i := digits - 1; i >= 0; i-- {
		n.DivMod(n, base, rest)
		out[i] = alphabet[rest.Int64()]
	}
	return string(out)
}
