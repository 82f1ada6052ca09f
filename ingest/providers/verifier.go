package providers

import (
	"errors"
	"net/http"
	"time"
)

// Reasons why a request is not authentic, for errors.Is; ReasonOf gives each
// a short label for a metric.
var (
	// ErrNoSignature: the request carries nothing that the scheme could check.
	ErrNoSignature = errors.New("no signature")
	// ErrMalformed: what the request carries breaks the scheme's form or limits.
	ErrMalformed = errors.New("malformed signature")
	// ErrBadSignature: no signature matches any configured secret.
	ErrBadSignature = errors.New("signature does not match")
	// ErrOutsideWindow: the signature is right and its time too far from ours.
	ErrOutsideWindow = errors.New("outside the replay window")
)

// ReasonOf returns a metric label for an error of Verify: "none", "malformed",
// "mismatch", "window", or "other".
func ReasonOf(err error) string {
	switch {
	case errors.Is(err, ErrNoSignature):
		return "none"
	case errors.Is(err, ErrMalformed):
		return "malformed"
	case errors.Is(err, ErrBadSignature):
		return "mismatch"
	case errors.Is(err, ErrOutsideWindow):
		return "window"
	}
	return "other"
}

// Request is what Verify looks at.
type Request struct {
	// Header has canonical keys, as net/http makes them.
	Header http.Header
	// Token is the last path element of /in/{source}/{token}, "" where there is none.
	Token string
	// Body is the raw body, before any Content-Encoding is undone.
	Body []byte
}

// Verifier checks requests against a definition's scheme and the source's
// secrets. Safe for concurrent use.
type Verifier struct {
	def     *Definition
	scheme  scheme
	secrets []Secret // for Explain
}

// scheme is one way of proving a request's origin, with its keys decoded.
type scheme interface {
	verify(r Request, now time.Time) error
}

// Verify reports whether the request is authentic at the instant now. It
// returns the scheme's name ("hmac", "standard-webhooks", "token", "basic",
// "none") for Event.Verified, or an error that wraps one of the four reasons.
// The error's text is for the log, never for the answer; it holds no secret
// and no signature.
func (v *Verifier) Verify(r Request, now time.Time) (string, error) {
	if err := v.scheme.verify(r, now); err != nil {
		return "", err
	}
	return v.def.Scheme(), nil
}
