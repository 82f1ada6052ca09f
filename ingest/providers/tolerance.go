package providers

import (
	"fmt"
	"time"
)

// WithTolerance returns the definition with another replay window, each way, for
// one source: how events are proven changes and nothing that they mean, so
// both digests are those of d. A definition whose signature carries no time has no
// window to set, which is an error, as is a window below a second or above a week.
func (d *Definition) WithTolerance(window time.Duration) (*Definition, error) {
	if !d.signature.timed() {
		return nil, fmt.Errorf("the definition %s signs no time (scheme %s), so there is no replay window to set", d.name, d.signature.scheme)
	}
	if window < time.Second || window > maxTolerance {
		return nil, fmt.Errorf("a replay window of %v is not between 1s and %v", window, maxTolerance)
	}
	other, signature := *d, *d.signature
	signature.tolerance = window
	other.signature = &signature
	return &other, nil
}

// timed reports whether the signature carries a time.
func (s *signature) timed() bool {
	switch s.scheme {
	case "hmac":
		return s.timestamp.given()
	case "standard-webhooks", "jwt":
		return true
	}
	return false
}
