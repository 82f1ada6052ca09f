package providers

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// standardContent is what Standard Webhooks sign.
var standardContent = []segment{{segID, ""}, {segLiteral, "."}, {segTimestamp, ""}, {segLiteral, "."}, {segBody, ""}}

// standardScheme is Standard Webhooks (standardwebhooks.com), versions v1
// (HMAC-SHA256) and v1a (ed25519), also under Svix's header names.
type standardScheme struct {
	*signature
	headers []standardHeaders
	hmacs   []*hmacKey
	publics []ed25519.PublicKey
}

// standardHeaders are the names of one family of headers, canonical.
type standardHeaders struct{ id, timestamp, signature string }

func headersOf(family string) standardHeaders {
	return standardHeaders{
		http.CanonicalHeaderKey(family + "id"),
		http.CanonicalHeaderKey(family + "timestamp"),
		http.CanonicalHeaderKey(family + "signature"),
	}
}

// standardKey is a decoded secret: exactly one part is set, but for a private
// key, which brings its public one.
type standardKey struct {
	symmetric []byte
	public    ed25519.PublicKey
	private   ed25519.PrivateKey
}

// parseStandardKey decodes whsec_ (also without the prefix), whpk_ and whsk_ keys.
// Its errors do not quote the secret.
func parseStandardKey(secret string) (standardKey, error) {
	kind, text := "whsec_", secret
	for _, prefix := range []string{"whsec_", "whpk_", "whsk_"} {
		if rest, ok := strings.CutPrefix(secret, prefix); ok {
			kind, text = prefix, rest
		}
	}
	b, err := decodeBase64(text)
	if err != nil {
		return standardKey{}, errors.New("is not base64, with or without whsec_ before it")
	}
	switch {
	case kind == "whpk_" && len(b) == ed25519.PublicKeySize:
		return standardKey{public: b}, nil
	case kind == "whpk_":
		return standardKey{}, fmt.Errorf("is a public key of %d bytes, not %d", len(b), ed25519.PublicKeySize)
	case kind == "whsk_":
		private := ed25519.PrivateKey(b)
		if len(b) == ed25519.SeedSize {
			private = ed25519.NewKeyFromSeed(b)
		} else if len(b) != ed25519.PrivateKeySize {
			return standardKey{}, fmt.Errorf("is a private key of %d bytes, neither %d nor %d", len(b), ed25519.SeedSize, ed25519.PrivateKeySize)
		}
		return standardKey{private: private, public: private.Public().(ed25519.PublicKey)}, nil
	case len(b) == 0:
		return standardKey{}, errors.New("is empty")
	}
	return standardKey{symmetric: b}, nil
}

func newStandardScheme(s *signature, secrets []Secret) (*standardScheme, error) {
	st := &standardScheme{signature: s}
	for _, family := range s.families {
		st.headers = append(st.headers, headersOf(family))
	}
	for i, secret := range secrets {
		key, err := parseStandardKey(secret.Reveal())
		switch {
		case err != nil:
			return nil, fmt.Errorf("secret %d of %d %w", i+1, len(secrets), err)
		case key.public != nil:
			st.publics = append(st.publics, key.public)
		default:
			st.hmacs = append(st.hmacs, newHMACKey("sha256", key.symmetric))
		}
	}
	return st, nil
}

func (s *standardScheme) verify(r Request, now time.Time) error {
	names := s.headers[0]
	for _, h := range s.headers {
		if len(r.Header[h.signature]) > 0 {
			names = h
			break
		}
	}
	list, err := one(r.Header, names.signature)
	if err != nil {
		return err
	}
	id, err := one(r.Header, names.id)
	if err != nil {
		return err
	}
	timestamp, err := one(r.Header, names.timestamp)
	if err != nil {
		return err
	}
	if !idFits(standardContent, id) {
		return fmt.Errorf("%w: a '.' in the id", ErrMalformed)
	}
	at, err := unixHeader(timestamp, "s")
	if err != nil {
		return err
	}
	var v1, v1a candidates
	entries := 0
	for more := true; more; {
		var entry string
		entry, list, more = strings.Cut(list, " ")
		if entries++; entries > maxSignatures {
			return fmt.Errorf("%w: more than %d signatures", ErrMalformed, maxSignatures)
		}
		if text, ok := strings.CutPrefix(entry, "v1,"); ok {
			err = v1.add(text)
		} else if text, ok := strings.CutPrefix(entry, "v1a,"); ok {
			err = v1a.add(text)
		}
		if err != nil {
			return err
		}
	}
	ok := s.matchHMAC(&v1, id, timestamp, r.Body) | s.matchPublic(&v1a, id, timestamp, r.Body)
	switch {
	case v1.n+v1a.n == 0:
		return fmt.Errorf("%w: neither v1 nor v1a in the header %s", ErrMalformed, names.signature)
	case ok == 0:
		return fmt.Errorf("%w: %d of version v1 and %d of v1a match none of %d secrets and %d public keys",
			ErrBadSignature, v1.n, v1a.n, len(s.hmacs), len(s.publics))
	}
	return inWindow(at, now, s.tolerance)
}

// matchHMAC is 1 where a v1 signature matches a secret, without an exit on the way.
func (s *standardScheme) matchHMAC(sigs *candidates, id, timestamp string, body []byte) (ok int) {
	if sigs.n == 0 {
		return 0
	}
	for _, k := range s.hmacs {
		m := k.get()
		m.write(standardContent, id, timestamp, body)
		sum := m.h.Sum(m.sum[:0])
		for i := range sigs.n {
			var got [sha256.Size]byte
			if decodeSignature(got[:], sigs.text[i], "base64") && hmac.Equal(got[:], sum) {
				ok |= 1
			}
		}
		k.put(m)
	}
	return ok
}

// matchPublic is 1 where a v1a signature matches a public key. Nothing in it is secret.
func (s *standardScheme) matchPublic(sigs *candidates, id, timestamp string, body []byte) int {
	if sigs.n == 0 || len(s.publics) == 0 {
		return 0
	}
	message := appendStandard(nil, id, timestamp, body)
	for _, public := range s.publics {
		for i := range sigs.n {
			var sig [ed25519.SignatureSize]byte
			if decodeSignature(sig[:], sigs.text[i], "base64") && ed25519.Verify(public, message, sig[:]) {
				return 1
			}
		}
	}
	return 0
}

// appendStandard appends the signed content.
func appendStandard(dst []byte, id, timestamp string, body []byte) []byte {
	dst = append(dst, id...)
	dst = append(dst, '.')
	dst = append(dst, timestamp...)
	dst = append(dst, '.')
	return append(dst, body...)
}
