package providers

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestJWTKeyFails has the ways in which a key cannot be had: none of them is the
// request's fault, and none shows a secret.
func TestJWTKeyFails(t *testing.T) {
	at, body := time.Unix(1_700_000_000, 0), []byte(`{}`)
	s := newSigner(t)
	key := s.jwk("k")
	swap := func(old, new string) string { return `{"key":` + strings.Replace(key, old, new, 1) + `}` }
	for name, c := range map[string]struct {
		server *keyServer
		words  string
	}{
		"broken":           {&keyServer{err: errors.New("connection refused")}, "connection refused"},
		"HTTP 500":         {&keyServer{status: 500, answer: "{}"}, "HTTP 500"},
		"credentials":      {&keyServer{status: 400, answer: `{"error_code":"INVALID_API_KEYS"}`}, "HTTP 400, error_code INVALID_API_KEYS"},
		"the secret said":  {&keyServer{status: 400, answer: `{"error_code":"no-CANARY"}`}, "HTTP 400"},
		"a sentence":       {&keyServer{status: 400, answer: `{"error_code":"\u001b[31mred"}`}, "HTTP 400"},
		"no such key":      {&keyServer{}, "INVALID_WEBHOOK_VERIFICATION_KEY_ID"},
		"redirect":         {&keyServer{status: 302, answer: "{}"}, "HTTP 302"},
		"too long":         {&keyServer{answer: `{"key":` + key + strings.Repeat(" ", maxKeyAnswer) + `}`}, "longer than"},
		"not JSON":         {&keyServer{answer: `<html>`}, "no JSON with the key"},
		"no key":           {&keyServer{answer: `{"key":null}`}, "no JSON with the key"},
		"a key of numbers": {&keyServer{answer: swap(`"kty":"EC"`, `"kty":1`)}, "no JSON Web Key"},
		"another type":     {&keyServer{answer: swap(`"EC"`, `"RSA"`)}, "P-256"},
		"another curve":    {&keyServer{answer: swap(`P-256`, `P-384`)}, "P-256"},
		"off the curve":    {&keyServer{answer: swap(`"x":"`, `"x":"`+raw64(make([]byte, 32))+`","was":"`)}, "no point on the curve"},
		"short":            {&keyServer{answer: swap(`"x":"`, `"x":"AAAA","was":"`)}, "P-256"},
		"for encryption":   {&keyServer{answer: swap(`"sig"`, `"enc"`)}, "not for signatures"},
		"another id":       {&keyServer{answer: swap(`"kid":"k"`, `"kid":"other"`)}, "another id"},
	} {
		v := jwtVerifier(t, c.server, "id:CANARY")
		_, err := v.Verify(s.request("k", body, at), at)
		if !errors.Is(err, ErrKeysUnavailable) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v, want %q", name, err, c.words)
			continue
		}
		if errors.Is(err, ErrBadSignature) || ReasonOf(err) != "keys" {
			t.Errorf("%s: %v is the request's fault", name, err)
		}
		if strings.Contains(err.Error(), "CANARY") || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: shows %q", name, err)
		}
	}
	v, err := define(t, jwtSignature).NewVerifier([]Secret{NewSecret("id:s")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(s.request("k", body, at), at); !errors.Is(err, ErrKeysUnavailable) {
		t.Errorf("without a transport: %v", err)
	}
}

// TestJWTRedirect sees with a real transport that no other address is asked.
func TestJWTRedirect(t *testing.T) {
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	keys := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer keys.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	d := define(t, strings.Replace(jwtSignature, "https://keys.example", keys.URL, 1))
	v, err := d.NewVerifier([]Secret{NewSecret("id:s")}, FetchKeys(transport))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1_700_000_000, 0)
	if _, err := v.Verify(newSigner(t).request("k", nil, at), at); !errors.Is(err, ErrKeysUnavailable) {
		t.Errorf("redirected: %v", err)
	}
	if elsewhere.Load() != 0 {
		t.Error("the redirect was followed, and the secret with it")
	}
}

// hung answers when the request is given up.
type hung struct{}

func (hung) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, ok := r.Context().Deadline(); !ok {
		return nil, errors.New("no deadline")
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil, err
	}
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// TestJWTFetchTime has a server of keys that does not answer.
func TestJWTFetchTime(t *testing.T) {
	if testing.Short() {
		t.Skip("takes three seconds: not with -short")
	}
	v := jwtVerifier(t, hung{}, "id:s", "id:t")
	at := time.Unix(1_700_000_000, 0)
	_, err := v.Verify(newSigner(t).request("k", nil, at), at)
	if !errors.Is(err, ErrKeysUnavailable) { // else it would wait for ever
		t.Error(err)
	}
}

// TestJWTSecrets asks with the second secret where the first is not taken any more.
func TestJWTSecrets(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	s := newSigner(t)
	server := &rotated{key: s.jwk("k")}
	if _, err := jwtVerifier(t, server, "id:old", "id:new:with:colons").Verify(s.request("k", nil, at), at); err != nil {
		t.Errorf("%v", err)
	}
	for _, secret := range []string{"id", "id:", ":s"} {
		_, err := define(t, jwtSignature).NewVerifier([]Secret{NewSecret(secret)})
		if err == nil || !strings.Contains(err.Error(), "secret 1 of 1 is not client_id:secret") {
			t.Errorf("%q: %v", secret, err)
		}
	}
}

// rotated takes one secret alone.
type rotated struct{ key string }

func (r *rotated) RoundTrip(q *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	status, answer := 400, "{}"
	if strings.Contains(string(b), `"new:with:colons"`) {
		status, answer = 200, `{"key":`+r.key+`}`
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(answer))}, nil
}

// TestJWTSingleFlight sends many requests at once under a key that is not known yet.
func TestJWTSingleFlight(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	s := newSigner(t)
	server := &keyServer{keys: map[string]string{"k": s.jwk("k")}, gate: make(chan struct{})}
	v := jwtVerifier(t, server, "id:s")
	r := s.request("k", []byte("{}"), at)
	const senders = maxWaiting + 40
	errs := make(chan error, senders)
	for range senders {
		go func() { _, err := v.Verify(r, at); errs <- err }()
	}
	turnedAway := 0
	for range senders - maxWaiting - 1 { // these do not wait
		if err := <-errs; !errors.Is(err, ErrKeysUnavailable) {
			t.Fatalf("one too many: %v", err)
		}
		turnedAway++
	}
	close(server.gate)
	for range senders - turnedAway {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	if server.asks() != 1 {
		t.Errorf("asked %d times", server.asks())
	}
}

// TestJWTUnknownKeys is a stranger who names keys that nobody has: what is asked is
// bounded, and whoever signs with a known key does not notice.
func TestJWTUnknownKeys(t *testing.T) {
	now, body := time.Unix(1_700_000_000, 0), []byte(`{}`)
	s := newSigner(t)
	server := &keyServer{keys: map[string]string{"k": s.jwk("k")}}
	v := jwtVerifier(t, server, "id:s")
	verify := func(kid string) error {
		_, err := v.Verify(s.request(kid, body, now), now)
		return err
	}
	if err := verify("k"); err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		if err := verify(fmt.Sprint("none-", i)); !errors.Is(err, ErrKeysUnavailable) {
			t.Fatal(err)
		}
	}
	if server.asks() != askBurst {
		t.Errorf("asked %d times, want %d", server.asks(), askBurst)
	}
	if err := verify("k"); err != nil {
		t.Error(err)
	}
	// One key that fails is asked for once in a while, whatever else may be asked.
	now = now.Add(time.Hour)
	before := server.asks()
	for range 20 {
		if err := verify("none"); !errors.Is(err, ErrKeysUnavailable) {
			t.Fatal(err)
		}
	}
	if server.asks() != before+1 {
		t.Errorf("asked %d times for one key", server.asks()-before)
	}
	server.with(func() { server.keys["none"] = s.jwk("none") })
	now = now.Add(retryKey)
	if err := verify("none"); err != nil {
		t.Errorf("a key that came to be: %v", err)
	}
	// Over many hours neither memory nor the known keys go.
	for i := range 500 {
		now = now.Add(askEvery)
		_ = verify(fmt.Sprint("later-", i)) // fails like those before
	}
	ring := v.scheme.(*jwtScheme).keys
	if len(ring.entries) > maxKeys || ring.entries["k"] == nil || ring.entries["none"] == nil {
		t.Errorf("%d entries, k %v", len(ring.entries), ring.entries["k"])
	}
}

// TestJWTKeyAges follows a key through its life.
func TestJWTKeyAges(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s := newSigner(t)
	server := &keyServer{keys: map[string]string{"k": s.jwk("k")}}
	v := jwtVerifier(t, server, "id:s")
	step := func(name string, later time.Duration, want error, asks int) {
		t.Helper()
		now = now.Add(later)
		_, err := v.Verify(s.request("k", nil, now), now)
		if !errors.Is(err, want) || want == nil && err != nil || server.asks() != asks {
			t.Errorf("%s: %v with %d asked in all, want %v with %d", name, err, server.asks(), want, asks)
		}
	}
	step("first", 0, nil, 1)
	step("fresh", freshKey, nil, 1)
	step("fetched anew", time.Second, nil, 2)
	server.with(func() { server.err = errors.New("down") })
	step("the old one serves", freshKey+time.Second, nil, 3)
	step("and is not asked for at once", time.Second, nil, 3)
	step("but later", retryKey, nil, 4)
	step("not for ever", staleKey, ErrKeysUnavailable, 5)
	server.with(func() { server.err = nil })
	step("back", retryKey, nil, 6)
	server.with(func() {
		server.keys["k"] = strings.Replace(s.jwk("k"), `"expired_at":null`, `"expired_at":1700000001`, 1)
	})
	step("expired since, unknown to us", freshKey, nil, 6)
	step("expired", time.Second, ErrBadSignature, 7)
	step("stays so", 48*time.Hour, ErrBadSignature, 7)
}

// explodes breaks the one who asks.
type explodes struct{ entered, gate chan struct{} }

func (e explodes) RoundTrip(*http.Request) (*http.Response, error) {
	close(e.entered)
	<-e.gate
	panic("transport")
}

// TestJWTPanic has a transport that panics: nobody waits for ever.
func TestJWTPanic(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	e := explodes{make(chan struct{}), make(chan struct{})}
	v := jwtVerifier(t, e, "id:s")
	r := newSigner(t).request("k", nil, at)
	var all sync.WaitGroup
	all.Go(func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_, _ = v.Verify(r, at) // panics
	})
	<-e.entered
	all.Go(func() {
		if _, err := v.Verify(r, at); !errors.Is(err, ErrKeysUnavailable) {
			t.Errorf("waited: %v", err)
		}
	})
	ring := v.scheme.(*jwtScheme).keys
	for waiting := 0; waiting == 0; runtime.Gosched() {
		ring.mu.Lock()
		waiting = ring.entries["k"].waiting
		ring.mu.Unlock()
	}
	close(e.gate)
	all.Wait()
}

// TestJWTDefinition has what a definition may not say.
func TestJWTDefinition(t *testing.T) {
	for name, c := range map[string][3]string{
		"algorithm":        {"ES256", "RS256", `"RS256" is none of ES256`},
		"in the clear":     {"https://", "http://", "not https"},
		"no host":          {"https://keys.example", "keys.example", "not a URL"},
		"a user":           {"https://", "https://u:p@", "holds a user"},
		"no header":        {"header: Plaid-Verification\n", "", "signature.header is missing"},
		"no body":          {"body_sha256: request_body_sha256\n", "", "signature.body_sha256 is missing"},
		"no kid":           {`, key_id: "{kid}"`, "", "{kid} stands nowhere"},
		"no secret":        {`secret: "{secret}", `, "", "{secret} stands nowhere"},
		"unknown part":     {`"{kid}"`, `"{id}"`, "none of {kid}, {client_id}, {secret}"},
		"kid as a part":    {"client_id:secret\n", "kid:secret\n", "what a secret is made of"},
		"empty part":       {"client_id:secret\n", "\"client_id:\"\n", "what a secret is made of"},
		"a key of others":  {"scheme: jwt", "scheme: jwt\nencoding: hex", "means nothing to the scheme jwt"},
		"an unknown key":   {"key: key", "kex: key", `did you mean "key"`},
		"too wide":         {"scheme: jwt", "scheme: jwt\ntolerance: 1000h", "not between"},
		"one member twice": {`client_id: "{client_id}",`, `client_id: "{client_id}", client_id: x,`, "second time"},
	} {
		text := strings.Replace(jwtSignature, c[0], c[1], 1)
		if text == jwtSignature {
			t.Fatalf("%s: nothing was changed", name)
		}
		_, err := Parse("test.yaml", []byte("name: test\nsignature:\n"+indent(text)+"mapping: {type: body.type, connection: body.connection}\n"))
		if err == nil || !strings.Contains(err.Error(), c[2]) || !strings.HasPrefix(err.Error(), "test.yaml:") {
			t.Errorf("%s: %v, want %q", name, err, c[2])
		}
	}
	for _, url := range []string{"http://127.0.0.1:1/k", "http://localhost/k", "http://[::1]:99/k", "https://keys.example/k"} {
		if _, err := keysURL(url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{"http://127.0.0.1.example/k", "http://localhost.example/", "ftp://127.0.0.1/", "http://10.0.0.1/", "https:keys", "//keys/x"} {
		if _, err := keysURL(url); err == nil {
			t.Errorf("%s is accepted", url)
		}
	}
	if _, err := define(t, jwtSignature).Sign(NewSecret("id:s"), "", time.Time{}, nil); !errors.Is(err, ErrCannotSign) {
		t.Errorf("Sign: %v", err)
	}
}
