package providers

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Bounds on one fetch of a key: well within the ten seconds that senders wait.
const (
	fetchTimeout = 3 * time.Second // with all secrets
	maxKeyAnswer = 64 << 10        // bytes
)

// keyFetch is the `keys:` part of a signature of the scheme jwt: where the
// sender's public keys are, and how to ask for one. All of it comes from the
// definition; of a request it is the key's id alone that is sent there.
type keyFetch struct {
	url       *url.URL
	parts     []string     // the names of what a secret is made of, with ':' between
	request   []keyRequest // the members of what is posted, in the definition's order
	answer    string       // the member of the answer that is the key; "": the answer itself
	errorCode string       // the member of an answer that is no 200 to show in the log; "": none
}

// keyRequest is a member of the JSON object that is posted: a text, a part of the
// secret, or the key's id.
type keyRequest struct{ name, text, part string }

// partKeyID stands for the key's id where a part of the secret may stand.
const partKeyID = "kid"

// fetchedKey is a key as the sender gives it.
type fetchedKey struct {
	key     *ecdsa.PublicKey
	expired bool
}

// split takes a secret apart. Its errors do not show it.
func (f *keyFetch) split(s Secret) (map[string]string, error) {
	values := strings.SplitN(s.Reveal(), ":", len(f.parts))
	out := map[string]string{}
	for i, name := range f.parts {
		if i >= len(values) || values[i] == "" {
			return nil, fmt.Errorf("is not %s, as the definition's signature.keys.secret says", strings.Join(f.parts, ":"))
		}
		out[name] = values[i]
	}
	return out, nil
}

// fetch asks for a key, with each secret until one is taken. The error says why
// there is none, with no part of a secret.
func (f *keyFetch) fetch(through http.RoundTripper, secrets []Secret, kid string) (fetchedKey, error) {
	if through == nil {
		return fetchedKey{}, errors.New("this verifier fetches no keys")
	}
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	var errs []error
	for _, secret := range secrets {
		key, refused, err := f.ask(ctx, through, secret, kid)
		if err == nil {
			return key, nil
		}
		if errs = append(errs, err); !refused {
			break
		}
	}
	return fetchedKey{}, fmt.Errorf("the key %q cannot be fetched from %s: %w", cut(kid, 64), f.url.Host, errors.Join(errs...))
}

// ask posts one request. No redirect is followed: a transport follows none.
func (f *keyFetch) ask(ctx context.Context, through http.RoundTripper, secret Secret, kid string) (key fetchedKey, refused bool, err error) {
	values, err := f.split(secret)
	if err != nil {
		return key, false, err
	}
	body, err := f.body(values, kid)
	if err != nil {
		return key, false, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url.String(), bytes.NewReader(body))
	if err != nil {
		return key, false, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	answer, err := through.RoundTrip(r)
	if err != nil {
		return key, false, err
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxKeyAnswer+1))
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return key, false, err
	}
	switch {
	case len(text) > maxKeyAnswer:
		return key, false, fmt.Errorf("the answer is longer than %d bytes", maxKeyAnswer)
	case answer.StatusCode != http.StatusOK:
		return key, answer.StatusCode/100 == 4, fmt.Errorf("the answer is HTTP %d%s", answer.StatusCode, f.code(text, values))
	}
	key, err = f.read(text, kid)
	return key, false, err
}

// body is the JSON object to post.
func (f *keyFetch) body(values map[string]string, kid string) ([]byte, error) {
	b := []byte{'{'}
	for i, m := range f.request {
		text := m.text
		if m.part == partKeyID {
			text = kid
		} else if m.part != "" {
			text = values[m.part]
		}
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = jsontext.AppendQuote(b, m.name); err != nil {
			return nil, err
		}
		b = append(b, ':')
		if b, err = jsontext.AppendQuote(b, text); err != nil {
			return nil, errors.New("a part of the secret is not UTF-8")
		}
	}
	return append(b, '}'), nil
}

// code is what an answer that is no 200 calls the error, where that is a word and none of the secret's.
func (f *keyFetch) code(text []byte, values map[string]string) string {
	var answer map[string]jsontext.Value
	var word string
	if f.errorCode == "" || json.Unmarshal(text, &answer) != nil || json.Unmarshal(answer[f.errorCode], &word) != nil || !isToken(word) || len(word) > 64 {
		return ""
	}
	for _, secret := range values {
		if strings.Contains(word, secret) {
			return ""
		}
	}
	return ", " + f.errorCode + " " + word
}

// read takes the key out of the answer: a JSON Web Key (RFC 7517) for ES256.
func (f *keyFetch) read(text []byte, kid string) (fetchedKey, error) {
	if f.answer != "" {
		var answer map[string]jsontext.Value
		if json.Unmarshal(text, &answer) != nil || answer[f.answer].Kind() != '{' {
			return fetchedKey{}, fmt.Errorf("the answer is no JSON with the key in its member %s", f.answer)
		}
		text = answer[f.answer]
	}
	var jwk struct {
		Type      string         `json:"kty"`
		Curve     string         `json:"crv"`
		X         string         `json:"x"`
		Y         string         `json:"y"`
		ID        string         `json:"kid"`
		Algorithm string         `json:"alg"`
		Use       string         `json:"use"`
		ExpiredAt jsontext.Value `json:"expired_at"`
	}
	if json.Unmarshal(text, &jwk) != nil {
		return fetchedKey{}, errors.New("the answer holds no JSON Web Key")
	}
	point := [65]byte{4} // uncompressed
	x, errX := decodeURL(point[1:33], jwk.X)
	y, errY := decodeURL(point[33:], jwk.Y)
	switch {
	case jwk.Type != "EC" || jwk.Curve != "P-256" || errX != nil || errY != nil || x != 32 || y != 32:
		return fetchedKey{}, errors.New("the key is no public key on the curve P-256")
	case jwk.Algorithm != "" && jwk.Algorithm != algorithmES256 || jwk.Use != "" && jwk.Use != "sig":
		return fetchedKey{}, errors.New("the key is not for signatures by " + algorithmES256)
	case jwk.ID != kid:
		return fetchedKey{}, errors.New("the key has another id")
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point[:])
	if err != nil {
		return fetchedKey{}, errors.New("the key is no point on the curve P-256")
	}
	return fetchedKey{public, jwk.ExpiredAt != nil && jwk.ExpiredAt.Kind() != 'n'}, nil
}

// keysURL checks where keys may be fetched from.
func keysURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return nil, errors.New("is not a URL like https://host/path")
	}
	loopback := u.Hostname() == "localhost"
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsLoopback() {
		loopback = true
	}
	switch {
	case u.User != nil || u.Fragment != "":
		return nil, errors.New("holds a user or a fragment: what is secret stands in the source's secrets")
	case u.Scheme == "https" || u.Scheme == "http" && loopback:
		return u, nil
	}
	return nil, errors.New("is not https: a key that comes in the clear proves nothing (http is for loopback alone)")
}
