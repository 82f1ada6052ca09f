package providers

import (
	"errors"
	"fmt"
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

// ErrKeysUnavailable means that nobody can tell whether the request is authentic: the
// sender's public key could not be fetched. It is trouble of ours, not of the
// request: it may be right, and has to be asked for again (a 503, never a 4xx).
var ErrKeysUnavailable = errors.New("the sender's keys are unavailable")

// ReasonOf returns a metric label for an error of Verify: "none", "malformed",
// "mismatch", "window", "keys", or "other".
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
	case errors.Is(err, ErrKeysUnavailable):
		return "keys"
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

// VerifierOption sets up a Verifier.
type VerifierOption func(*verifierOptions)

type verifierOptions struct{ through http.RoundTripper }

// FetchKeys makes the Verifier fetch public keys through a transport, where its
// scheme needs them (jwt). Without it, or with nil, it fetches none, and Verify
// returns ErrKeysUnavailable.
func FetchKeys(through http.RoundTripper) VerifierOption {
	return func(o *verifierOptions) { o.through = through }
}

// NewVerifier decodes the secrets and returns a Verifier for them: a request
// passes with any one of them. The error says which secret is unusable and why,
// without showing it. It asks for nothing over the network; see FetchKeys.
func (d *Definition) NewVerifier(secrets []Secret, options ...VerifierOption) (*Verifier, error) {
	var o verifierOptions
	for _, set := range options {
		set(&o)
	}
	s, err := newScheme(d.signature, secrets, o)
	if err != nil {
		return nil, fmt.Errorf("provider %s: %w", d.name, err)
	}
	return &Verifier{def: d, scheme: s, secrets: append([]Secret(nil), secrets...)}, nil
}

// Verify reports whether the request is authentic at the instant now. It
// returns the scheme's name ("hmac", "standard-webhooks", "jwt", "token", "basic",
// "none") for Event.Verified, or an error that wraps one of the four reasons, or
// ErrKeysUnavailable. With the scheme jwt it may have to fetch a key, which takes
// up to three seconds; in every other case it only computes.
// The error's text is for the log, never for the answer; it holds no secret
// and no signature.
func (v *Verifier) Verify(r Request, now time.Time) (string, error) {
	if err := v.scheme.verify(r, now); err != nil {
		return "", err
	}
	return v.def.Scheme(), nil
}
