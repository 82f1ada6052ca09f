package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestFetchedKeys runs the program with a source like Plaid's, whose keys a server on this
// machine gives: while it does not the answer asks for the webhook again, then it is stored, and
// what another key signed is refused.
func TestFetchedKeys(t *testing.T) {
	key, stranger := newKey(t), newKey(t)
	var up atomic.Bool
	var asked atomic.Int64
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		var q map[string]string
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q["client_id"] != "id_1" || q["secret"] != "CANARY" {
			t.Errorf("asked with %v, %v", q, err)
		}
		if !up.Load() {
			http.Error(w, "{}", http.StatusInternalServerError)
			return
		}
		answerKey(t, w, key, q["key_id"])
	}))
	defer keys.Close()
	dir := t.TempDir()
	config := fmt.Sprintf("sources:\n  bank:\n    provider:\n      extends: plaid\n      signature: {keys: {url: %q}}\n    secrets: [\"id_1:CANARY\"]\n", keys.URL+"/webhook_verification_key/get")
	if err := os.WriteFile(filepath.Join(dir, "tidemark.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath("tidemark")
	if err != nil {
		t.Fatal(err)
	}
	s, err := startServer(path, dir, os.Environ(), "--listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.kill()
	body := `{"webhook_type":"ITEM","webhook_code":"PENDING_EXPIRATION","item_id":"item_1","consent_expiration_time":"2036-01-15T13:25:17.766Z"}`
	post := func(by *ecdsa.PrivateKey, kid string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/in/bank", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Plaid-Verification", tokenBy(t, by, kid, body))
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		return res
	}
	if res := post(key, "one"); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Errorf("without a key: %s %v", res.Status, res.Header)
	}
	up.Store(true)
	for range 3 {
		if res := post(key, "two"); res.StatusCode != 200 {
			t.Errorf("signed: %s", res.Status)
		}
	}
	if res := post(stranger, "two"); res.StatusCode != 401 {
		t.Errorf("signed by a stranger: %s", res.Status)
	}
	if asked.Load() != 2 {
		t.Errorf("asked for a key %d times, want once for each", asked.Load())
	}
	if code, took := s.terminate(); code != 0 {
		t.Errorf("ended with %d after %s", code, took)
	}
	if said := s.stderr(); strings.Contains(said, "CANARY") || !strings.Contains(said, "keys_unavailable") {
		t.Errorf("logged: %s", said)
	}
}

// answerKey answers as Plaid does, with the public key.
func answerKey(t *testing.T, w http.ResponseWriter, key *ecdsa.PrivateKey, kid string) {
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Error(err)
		return
	}
	_, _ = fmt.Fprintf(w, `{"key":{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":%q,"x":%q,"y":%q,"expired_at":null}}`,
		kid, base64.RawURLEncoding.EncodeToString(point[1:33]), base64.RawURLEncoding.EncodeToString(point[33:]))
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// tokenBy signs a body as it would be signed now.
func tokenBy(t *testing.T, key *ecdsa.PrivateKey, kid, body string) string {
	t.Helper()
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	signed := part(map[string]string{"alg": "ES256", "kid": kid, "typ": "JWT"}) + "." +
		part(map[string]any{"iat": time.Now().Unix(), "request_body_sha256": fmt.Sprintf("%x", sha256.Sum256([]byte(body)))})
	digest := sha256.Sum256([]byte(signed))
	r, v, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	var sig [64]byte
	r.FillBytes(sig[:32])
	v.FillBytes(sig[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(sig[:])
}
