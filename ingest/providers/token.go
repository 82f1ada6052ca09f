package providers

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

// hashes are SHA-256 sums of secrets: what is compared has one length, so the
// time a comparison takes says nothing about a secret, not even its length.
type hashes [][sha256.Size]byte

func hashSecrets(secrets []Secret) hashes {
	var h hashes
	for _, s := range secrets {
		h = append(h, sha256.Sum256([]byte(s.Reveal())))
	}
	return h
}

// contain is 1 where given is one of the secrets.
func (h hashes) contain(given string) (ok int) {
	sum := sha256.Sum256([]byte(given))
	for i := range h {
		ok |= subtle.ConstantTimeCompare(h[i][:], sum[:])
	}
	return ok
}

// tokenScheme is a shared token in a header or at the end of the path.
type tokenScheme struct {
	*signature
	secrets hashes
}

func (t *tokenScheme) verify(r Request, _ time.Time) error {
	if t.path && r.Token != "" {
		if len(r.Token) > maxHeader {
			return fmt.Errorf("%w: the token in the path is longer than %d bytes", ErrMalformed, maxHeader)
		}
		if t.secrets.contain(r.Token) == 1 {
			return nil
		}
		return fmt.Errorf("%w: the token in the path is none of %d", ErrBadSignature, len(t.secrets))
	}
	if t.header == "" {
		return fmt.Errorf("%w: no token in the path", ErrNoSignature)
	}
	value, err := one(r.Header, t.header)
	if err != nil {
		return err
	}
	token, ok := strings.CutPrefix(value, t.prefix)
	if !ok {
		return fmt.Errorf("%w: the header %s does not begin with %q", ErrMalformed, t.header, t.prefix)
	}
	if t.secrets.contain(token) == 1 {
		return nil
	}
	return fmt.Errorf("%w: the token in the header %s is none of %d", ErrBadSignature, t.header, len(t.secrets))
}

// basicScheme is HTTP basic authentication; its secrets are user:password.
type basicScheme struct{ secrets hashes }

func newBasicScheme(secrets []Secret) (*basicScheme, error) {
	for i, s := range secrets {
		if !strings.Contains(s.Reveal(), ":") {
			return nil, fmt.Errorf("secret %d of %d has no ':': for the scheme basic it is user:password", i+1, len(secrets))
		}
	}
	return &basicScheme{hashSecrets(secrets)}, nil
}

func (b *basicScheme) verify(r Request, _ time.Time) error {
	value, err := one(r.Header, "Authorization")
	if err != nil {
		return err
	}
	const prefix = "basic "
	if len(value) < len(prefix) || !strings.EqualFold(value[:len(prefix)], prefix) {
		return fmt.Errorf("%w: the header Authorization is not of the kind Basic", ErrMalformed)
	}
	given, err := base64.StdEncoding.DecodeString(strings.Trim(value[len(prefix):], " "))
	if err != nil {
		return fmt.Errorf("%w: the header Authorization is not base64", ErrMalformed)
	}
	if b.secrets.contain(string(given)) == 1 {
		return nil
	}
	return fmt.Errorf("%w: user and password are none of %d", ErrBadSignature, len(b.secrets))
}

// noScheme lets every request through.
type noScheme struct{}

func (noScheme) verify(Request, time.Time) error { return nil }

// newScheme decodes the secrets for the definition's scheme.
func newScheme(s *signature, secrets []Secret, o verifierOptions) (scheme, error) {
	if s.scheme == "none" {
		if len(secrets) > 0 {
			return nil, errors.New("there is a secret, and the scheme none checks nothing: take it out, or name another definition")
		}
		return noScheme{}, nil
	}
	if len(secrets) == 0 {
		return nil, fmt.Errorf("the scheme %s needs a secret: set the source's `secrets:`", s.scheme)
	}
	for i, secret := range secrets {
		if secret.IsZero() {
			return nil, fmt.Errorf("secret %d of %d is empty", i+1, len(secrets))
		}
	}
	switch s.scheme {
	case "hmac":
		return newHMACScheme(s, secrets)
	case "standard-webhooks":
		return newStandardScheme(s, secrets)
	case "jwt":
		return newJWTScheme(s, secrets, o)
	case "token":
		return &tokenScheme{s, hashSecrets(secrets)}, nil
	default:
		return newBasicScheme(secrets)
	}
}
