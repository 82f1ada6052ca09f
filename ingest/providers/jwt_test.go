package providers

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const jwtSignature = `
scheme: jwt
header: Plaid-Verification
algorithm: ES256
body_sha256: request_body_sha256
keys:
  url: https://keys.example/webhook_verification_key/get
  secret: client_id:secret
  request: {client_id: "{client_id}", secret: "{secret}", key_id: "{kid}"}
  key: key
  error_code: error_code`

// The vector that is published for Plaid (Stack Overflow 62143991).
const (
	publishedJWT = "eyJhbGciOiJFUzI1NiIsImtpZCI6IjZjNTUxNmUxLTkyZGMtNDc5ZS1hOGZmLTVhNTE5OTJlMDAwMSIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE1OTA4ODcwMDEsInJlcXVlc3RfYm9keV9zaGEyNTYiOiJiNjNhMDdiNTQ3YjAwZjk5MjU0N2Y2YmJjOGQ5YWNjNjFhOGNjZWUxMzhiYzgyZjQ0YTZiYWEwOTY4M2E1ZDBmIn0.OOKvIihgqCj7Qrb2bmz7T3t7uK-0JyjiEqL2s1kWeJBM4MMmjaHKK8GmU_z91QolBWMzvPgs718EElY-rE3cwQ"
	publishedJWK = `{"kty":"EC","crv":"P-256","kid":"6c5516e1-92dc-479e-a8ff-5a51992e0001","x":"35lvC8uz2QrWpQJ3TUH8t9o9DURMp7ydU518RKDl20k","y":"I8BuXB2bvxelzJAd7OKhd-ZwjCst05Fx47Mb_0ugros","expired_at":null}`
	publishedIAT = 1590887001
	plaidBody    = `{
  "error": null,
  "item_id": "yxQbxDjnD8hr69pKbQpbcKeVn3GL9QuyA7NV3",
  "new_transactions": 390,
  "webhook_code": "HISTORICAL_UPDATE",
  "webhook_type": "TRANSACTIONS"
}`
)

// keyServer is a sender's server of keys, behind a transport.
type keyServer struct {
	mu     sync.Mutex
	keys   map[string]string // by id, as JSON
	asked  []string          // what was posted
	status int               // 0: 200
	answer string            // in the place of a key
	err    error
	gate   chan struct{} // nil: answers at once
}

func (s *keyServer) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+" "+r.URL.String()+" "+string(body))
	gate, failed, status, answer := s.gate, s.err, s.status, s.answer
	s.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if failed != nil {
		return nil, failed
	}
	var q struct {
		KeyID string `json:"key_id"`
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, err
	}
	if key := s.key(q.KeyID); answer == "" && key != "" {
		answer = `{"key":` + key + `,"request_id":"r"}`
	} else if answer == "" {
		status, answer = 400, `{"error_code":"INVALID_WEBHOOK_VERIFICATION_KEY_ID"}`
	}
	if status == 0 {
		status = 200
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Location": {"https://elsewhere.example/"}}, Body: io.NopCloser(strings.NewReader(answer))}, nil
}

func (s *keyServer) key(kid string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[kid]
}

// with changes what the server does.
func (s *keyServer) with(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *keyServer) asks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func jwtVerifier(t *testing.T, s http.RoundTripper, secrets ...string) *Verifier {
	t.Helper()
	var list []Secret
	for _, one := range secrets {
		list = append(list, NewSecret(one))
	}
	v, err := define(t, jwtSignature).NewVerifier(list, FetchKeys(s))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// signer signs tokens for tests.
type signer struct {
	t   *testing.T
	key *ecdsa.PrivateKey
}

func newSigner(t *testing.T) signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{t, key}
}

func raw64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (s signer) jwk(kid string) string {
	point, err := s.key.PublicKey.Bytes()
	if err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprintf(`{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":%q,"x":%q,"y":%q,"created_at":1,"expired_at":null}`, kid, raw64(point[1:33]), raw64(point[33:]))
}

// raw signs two parts as they stand.
func (s signer) raw(head, claims string) string {
	signed := raw64([]byte(head)) + "." + raw64([]byte(claims))
	digest := sha256.Sum256([]byte(signed))
	r, v, err := ecdsa.Sign(rand.Reader, s.key, digest[:])
	if err != nil {
		s.t.Fatal(err)
	}
	var sig [64]byte
	r.FillBytes(sig[:32])
	v.FillBytes(sig[32:])
	return signed + "." + raw64(sig[:])
}

func claimsOf(body []byte, at time.Time) string {
	sum := sha256.Sum256(body)
	return fmt.Sprintf(`{"iat":%d,"request_body_sha256":"%s"}`, at.Unix(), hex.EncodeToString(sum[:]))
}

// request is a webhook signed at an instant by the key of that id.
func (s signer) request(kid string, body []byte, at time.Time) Request {
	return Request{Body: body, Header: headers("Plaid-Verification", s.raw(`{"alg":"ES256","kid":"`+kid+`"}`, claimsOf(body, at)))}
}

// TestJWTVector is the published vector: what is asked, and what is answered.
func TestJWTVector(t *testing.T) {
	server := &keyServer{keys: map[string]string{"6c5516e1-92dc-479e-a8ff-5a51992e0001": publishedJWK}}
	v := jwtVerifier(t, server, "id_1:CANARY")
	r := Request{Header: headers("Plaid-Verification", publishedJWT), Body: []byte(plaidBody)}
	at := time.Unix(publishedIAT, 0)
	for range 2 {
		if verified, err := v.Verify(r, at); err != nil || verified != "jwt" {
			t.Fatalf("%q, %v", verified, err)
		}
	}
	want := `POST https://keys.example/webhook_verification_key/get {"client_id":"id_1","secret":"CANARY","key_id":"6c5516e1-92dc-479e-a8ff-5a51992e0001"}`
	if len(server.asked) != 1 || server.asked[0] != want {
		t.Errorf("asked %q, want once %s", server.asked, want)
	}
	for age, ok := range map[time.Duration]bool{5 * time.Minute: true, -5 * time.Minute: true, 5*time.Minute + 1: false, -5*time.Minute - 1: false} {
		if _, err := v.Verify(r, at.Add(age)); ok != (err == nil) || !ok && !errors.Is(err, ErrOutsideWindow) {
			t.Errorf("age %s: %v", age, err)
		}
	}
	for name, body := range map[string]string{"formatted anew": compactOf(t, plaidBody), "a newline more": plaidBody + "\n", "none": ""} {
		r.Body = []byte(body)
		if _, err := v.Verify(r, at); !errors.Is(err, ErrBadSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func compactOf(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestJWTRefused are tokens that are not accepted, most of them without asking for a key.
func TestJWTRefused(t *testing.T) {
	at, body := time.Unix(1_700_000_000, 0), []byte(`{"a":1}`)
	s, other := newSigner(t), newSigner(t)
	const head = `{"alg":"ES256","kid":"k"}`
	claims := claimsOf(body, at)
	good := s.raw(head, claims)
	flipped := good[:len(good)-10] + flip(good[len(good)-10:len(good)-9]) + good[len(good)-9:]
	cases := []struct {
		name, token string
		want        error
		asks        int
	}{
		{"another key", other.raw(head, claims), ErrBadSignature, 1},
		{"signature changed", flipped, ErrBadSignature, 1},
		{"claims changed", swapPart(good, 1, claimsOf(body, at.Add(time.Second))), ErrBadSignature, 1},
		{"another body", s.raw(head, claimsOf([]byte("other"), at)), ErrBadSignature, 0},
		{"expired by itself", s.raw(head, strings.Replace(claims, "{", `{"exp":1700000000,`, 1)), ErrOutsideWindow, 1},
		{"alg none", s.raw(`{"alg":"none","kid":"k"}`, claims), ErrMalformed, 0},
		{"alg none, no signature", swapLast(s.raw(`{"alg":"none","kid":"k"}`, claims), ""), ErrMalformed, 0},
		{"alg HS256", s.raw(`{"alg":"HS256","kid":"k"}`, claims), ErrMalformed, 0},
		{"alg es256", s.raw(`{"alg":"es256","kid":"k"}`, claims), ErrMalformed, 0},
		{"alg twice", s.raw(`{"alg":"none","alg":"ES256","kid":"k"}`, claims), ErrMalformed, 0},
		{"extensions", s.raw(`{"alg":"ES256","kid":"k","crit":["b64"],"b64":false}`, claims), ErrMalformed, 0},
		{"no kid", s.raw(`{"alg":"ES256"}`, claims), ErrMalformed, 0},
		{"kid a number", s.raw(`{"alg":"ES256","kid":1}`, claims), ErrMalformed, 0},
		{"kid too long", s.raw(`{"alg":"ES256","kid":"`+strings.Repeat("k", maxKeyID+1)+`"}`, claims), ErrMalformed, 0},
		{"no iat", s.raw(head, strings.Replace(claims, "iat", "was", 1)), ErrMalformed, 0},
		{"iat a text", s.raw(head, strings.Replace(claims, "1700000000", `"1700000000"`, 1)), ErrMalformed, 0},
		{"iat negative", s.raw(head, strings.Replace(claims, "1700000000", `-1`, 1)), ErrMalformed, 0},
		{"iat endless", s.raw(head, strings.Replace(claims, "1700000000", `1e300`, 1)), ErrMalformed, 0},
		{"no body hash", s.raw(head, `{"iat":1700000000}`), ErrMalformed, 0},
		{"body hash not hex", s.raw(head, `{"iat":1700000000,"request_body_sha256":"`+strings.Repeat("z", 64)+`"}`), ErrMalformed, 0},
		{"body hash short", s.raw(head, `{"iat":1700000000,"request_body_sha256":"00"}`), ErrMalformed, 0},
		{"claims not JSON", s.raw(head, `{"iat":1`), ErrMalformed, 0},
		{"head not an object", s.raw(`[]`, claims), ErrMalformed, 0},
		{"two parts", strings.Join(strings.Split(good, ".")[:2], "."), ErrMalformed, 0},
		{"four parts", good + ".x", ErrMalformed, 0},
		{"padded", good + "=", ErrMalformed, 0},
		{"signature long", swapLast(good, raw64(make([]byte, 65))), ErrMalformed, 0},
		{"signature short", swapLast(good, raw64(make([]byte, 63))), ErrMalformed, 0},
		{"signature zero", swapLast(good, raw64(make([]byte, 64))), ErrBadSignature, 1},
		{"too long", good + strings.Repeat("x", maxHeader), ErrMalformed, 0},
		{"nothing", "", ErrNoSignature, 0},
	}
	for _, c := range cases {
		server := &keyServer{keys: map[string]string{"k": s.jwk("k")}}
		v := jwtVerifier(t, server, "id:CANARY")
		_, err := v.Verify(Request{Header: headers("Plaid-Verification", c.token), Body: body}, at)
		if !errors.Is(err, c.want) || server.asks() != c.asks {
			t.Errorf("%s: %v with %d asked, want %v with %d", c.name, err, server.asks(), c.want, c.asks)
		}
	}
	v := jwtVerifier(t, &keyServer{keys: map[string]string{"k": s.jwk("k")}}, "id:CANARY")
	if _, err := v.Verify(Request{Header: headers("Plaid-Verification", good), Body: body}, at); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func flip(s string) string {
	if s == "A" {
		return "B"
	}
	return "A"
}

func swapPart(token string, i int, text string) string {
	parts := strings.Split(token, ".")
	parts[i] = raw64([]byte(text))
	return strings.Join(parts, ".")
}

func swapLast(token, last string) string { return token[:strings.LastIndexByte(token, '.')+1] + last }

// TestJWTExplain has a body that became another on the way, and a hint.
func TestJWTExplain(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	s, other := newSigner(t), newSigner(t)
	d := define(t, jwtSignature+"\nhint: The secret is client_id:secret.")
	v, err := d.NewVerifier([]Secret{NewSecret("id:s")}, FetchKeys(&keyServer{keys: map[string]string{"k": s.jwk("k"), "other": other.jwk("other")}}))
	if err != nil {
		t.Fatal(err)
	}
	signed := []byte(`{"a":1}`)
	for name, c := range map[string]struct {
		r    Request
		body string
		want string
	}{
		"formatted":   {s.request("k", signed, at), `{ "a": 1 }`, "the compact form of this one"},
		"newline":     {s.request("k", signed, at), `{"a":1}` + "\n", "no newline at its end"},
		"changed":     {s.request("k", signed, at), `{"a":2}`, "changed the body on the way"},
		"another key": {other.request("k", signed, at), `{"a":1}`, "The secret is client_id:secret."},
		"no key":      {s.request("none", signed, at), `{"a":1}`, "The secret is client_id:secret."},
	} {
		c.r.Body = []byte(c.body)
		_, err := v.Verify(c.r, at)
		if got := v.Explain(c.r, err); err == nil || !strings.Contains(got, c.want) || !strings.Contains(got, "The secret is") {
			t.Errorf("%s: %v: %q, want %q", name, err, got, c.want)
		}
	}
}

// FuzzJWT: whatever stands in the header is refused, or it is the token that was signed.
func FuzzJWT(f *testing.F) {
	f.Add(publishedJWT)
	f.Add(publishedJWT[:40])
	f.Add("..")
	f.Add("e30.e30.")
	f.Add("eyJhbGciOiJFUzI1NiIsImtpZCI6IjEifQ.eyJpYXQiOjFlOTk5OX0.AA")
	server := &keyServer{keys: map[string]string{"6c5516e1-92dc-479e-a8ff-5a51992e0001": publishedJWK}}
	d := define(f, jwtSignature)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := d.NewVerifier([]Secret{NewSecret("id:s")}, FetchKeys(server))
		if err != nil {
			t.Fatal(err)
		}
		r := Request{Header: headers("Plaid-Verification", text), Body: []byte(plaidBody)}
		_, err = v.Verify(r, time.Unix(publishedIAT, 0))
		if err == nil && text != publishedJWT {
			t.Fatalf("%q passes", text)
		}
		if err != nil && ReasonOf(err) == "other" {
			t.Fatal(err)
		}
		_ = v.Explain(r, err)
	})
}
