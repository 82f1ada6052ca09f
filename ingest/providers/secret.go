package providers

import (
	"fmt"
	"log/slog"
)

// redacted is what a Secret shows of itself.
const redacted = "[redacted]"

// Secret holds a configured secret and never prints it: every formatting verb,
// slog, JSON and text encoding show "[redacted]". Only Reveal gives the value.
// Inside a struct that is printed whole, where fmt cannot call the methods of
// unexported fields, it is the address of a pointer.
type Secret struct{ value *string }

// NewSecret wraps a secret as it was configured.
func NewSecret(s string) Secret { return Secret{value: &s} }

// Reveal returns the secret itself: for signing and for HMAC keys, nothing else.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// Format implements fmt.Formatter: the same for every verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// String implements fmt.Stringer.
func (s Secret) String() string { return redacted }

// GoString implements fmt.GoStringer, for %#v.
func (s Secret) GoString() string { return redacted }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON implements json.Marshaler.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
