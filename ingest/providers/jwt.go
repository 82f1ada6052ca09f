package providers

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// algorithmES256 is the one algorithm of the scheme jwt: ECDSA over P-256 with
// SHA-256. What a token says of its own algorithm is compared with it and never chosen by.
const algorithmES256 = "ES256"

// maxKeyID is the longest key id in bytes.
const maxKeyID = 256

// errBodyDiffers marks a token that was made for another body.
var errBodyDiffers = errors.New("the body is not the one that was signed")

// jwtScheme is a JSON Web Token (RFC 7519) in a header. It is signed with the
// sender's private key and holds the SHA-256 of the body as a claim; the public
// key is fetched by the id that the token names.
type jwtScheme struct {
	*signature
	keys *keyring
}

func newJWTScheme(s *signature, secrets []Secret, o verifierOptions) (*jwtScheme, error) {
	ring, err := newKeyring(s.fetch, secrets, o.through)
	if err != nil {
		return nil, err
	}
	return &jwtScheme{s, ring}, nil
}

func (j *jwtScheme) verify(r Request, now time.Time) error {
	t, err := j.token(r)
	if err != nil {
		return err
	}
	// The body comes first: it costs nothing, and a token that was never made for
	// this body is not worth asking for a key.
	sum := sha256.Sum256(r.Body)
	if subtle.ConstantTimeCompare(sum[:], t.bodyHash[:]) != 1 {
		return fmt.Errorf("%w: %w: its SHA-256 is not the claim %s of the header %s", ErrBadSignature, errBodyDiffers, j.bodyClaim, j.header)
	}
	key, err := j.keys.get(t.kid, now)
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(t.signed))
	if !ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(t.signature[:32]), new(big.Int).SetBytes(t.signature[32:])) {
		return fmt.Errorf("%w: the header %s is not signed by the key %q that it names", ErrBadSignature, j.header, cut(t.kid, 64))
	}
	if !t.expires.IsZero() && !now.Before(t.expires) {
		return fmt.Errorf("%w: the token was good until %s", ErrOutsideWindow, t.expires.UTC().Format(time.RFC3339))
	}
	return inWindow(t.issued, now, j.tolerance)
}

// token is what a request's header says, nothing of it proven yet.
type token struct {
	kid       string
	signed    string   // the bytes that the signature covers
	signature [64]byte // r and s
	issued    time.Time
	expires   time.Time // zero: the token does not say
	bodyHash  [sha256.Size]byte
}

// token takes the header apart.
func (j *jwtScheme) token(r Request) (t token, err error) {
	value, err := one(r.Header, j.header)
	if err != nil {
		return t, err
	}
	value, ok := strings.CutPrefix(value, j.prefix)
	if !ok {
		return t, fmt.Errorf("%w: the header %s does not begin with %q", ErrMalformed, j.header, j.prefix)
	}
	malformed := func(what string) (token, error) {
		return t, fmt.Errorf("%w: the header %s holds no JWT that is accepted: %s", ErrMalformed, j.header, what)
	}
	parts := strings.Split(value, ".")
	if len(parts) != 3 {
		return malformed(fmt.Sprintf("%d parts with a dot between them, not 3", len(parts)))
	}
	t.signed = value[:len(parts[0])+1+len(parts[1])]

	var head struct {
		Algorithm string         `json:"alg"`
		KeyID     string         `json:"kid"`
		Critical  jsontext.Value `json:"crit"`
	}
	switch err := decodePart(parts[0], &head); {
	case err != nil:
		return malformed("its first part " + err.Error())
	case head.Algorithm != j.algorithm:
		return malformed(fmt.Sprintf("its algorithm is %q, and %s alone is allowed", cut(head.Algorithm, 32), j.algorithm))
	case head.Critical != nil:
		return malformed("it asks for extensions (crit)")
	case head.KeyID == "" || len(head.KeyID) > maxKeyID:
		return malformed("it does not name its key (kid)")
	}
	t.kid = head.KeyID

	claims := map[string]jsontext.Value{}
	if err := decodePart(parts[1], &claims); err != nil {
		return malformed("its second part " + err.Error())
	}
	if t.issued, ok = numericDate(claims["iat"]); !ok {
		return malformed("it does not say when it was made (iat)")
	}
	if exp := claims["exp"]; exp != nil {
		if t.expires, ok = numericDate(exp); !ok {
			return malformed("its claim exp is no time")
		}
	}
	var claimed string
	if json.Unmarshal(claims[j.bodyClaim], &claimed) != nil || len(claimed) != hex.EncodedLen(sha256.Size) {
		return malformed("its claim " + j.bodyClaim + " is no SHA-256 in hex")
	}
	if _, err := hex.Decode(t.bodyHash[:], []byte(claimed)); err != nil {
		return malformed("its claim " + j.bodyClaim + " is no SHA-256 in hex")
	}
	if n, err := decodeURL(t.signature[:], parts[2]); err != nil || n != len(t.signature) {
		return malformed(fmt.Sprintf("its third part is no signature of %d bytes", len(t.signature)))
	}
	return t, nil
}

// decodePart reads one part of a token as strict JSON: valid UTF-8, no name twice.
func decodePart(text string, to any) error {
	b := make([]byte, base64.RawURLEncoding.DecodedLen(len(text)))
	if _, err := decodeURL(b, text); err != nil {
		return errors.New("is not base64url")
	}
	if err := json.Unmarshal(b, to); err != nil {
		return errors.New("is not the strict JSON that it should be")
	}
	return nil
}

// decodeURL decodes base64url without padding, white space or loose bits into
// dst, and returns how many bytes there are.
func decodeURL(dst []byte, text string) (int, error) {
	if strings.ContainsAny(text, "\r\n") {
		return 0, base64.CorruptInputError(0)
	}
	if base64.RawURLEncoding.DecodedLen(len(text)) > len(dst) {
		return 0, errors.New("too long")
	}
	return base64.RawURLEncoding.Strict().Decode(dst, []byte(text))
}

// numericDate reads a time as tokens write it: seconds since 1970, perhaps with a fraction.
func numericDate(v jsontext.Value) (time.Time, bool) {
	if v.Kind() != '0' {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseFloat(string(v), 64)
	if err != nil || seconds < 0 || seconds > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}
