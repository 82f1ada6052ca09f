package ingest

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// transport answers with one text, or fails.
type transport struct {
	answer string
	err    error
}

func (t *transport) RoundTrip(*http.Request) (*http.Response, error) {
	if t.err != nil {
		return nil, t.err
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(t.answer))}, nil
}

// TestKeysUnavailable is a sender whose public key cannot be fetched: the webhook may
// be right, so the answer asks for it again, and once the key is there it is stored.
func TestKeysUnavailable(t *testing.T) {
	def, err := providers.Parse("jwt.yaml", []byte(`
name: jwt
signature:
  scheme: jwt
  header: Plaid-Verification
  body_sha256: request_body_sha256
  keys:
    url: https://keys.example/get
    secret: client_id:secret
    request: {client_id: "{client_id}", secret: "{secret}", key_id: "{kid}"}
    key: key
mapping: {type: body.type, connection: body.connection}
`))
	if err != nil {
		t.Fatal(err)
	}
	through := &transport{err: errors.New("connection refused")}
	verifier, err := def.NewVerifier([]providers.Secret{providers.NewSecret("id:" + canary)}, providers.FetchKeys(through))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1590887001, 0)
	var said bytes.Buffer
	log := &fakeLog{}
	h, err := New(Options{
		Log: log, Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(&said, nil)), Metrics: prometheus.NewRegistry(),
		Sources: []Source{{Name: "a", Verify: verifier.Verify, MaxBody: 1 << 20}},
	})
	if err != nil {
		t.Fatal(err)
	}
	body := "{\n  \"error\": null,\n  \"item_id\": \"yxQbxDjnD8hr69pKbQpbcKeVn3GL9QuyA7NV3\",\n  \"new_transactions\": 390,\n  \"webhook_code\": \"HISTORICAL_UPDATE\",\n  \"webhook_type\": \"TRANSACTIONS\"\n}"
	post := func(body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/in/a", strings.NewReader(body))
		r.Header.Set("Plaid-Verification", "eyJhbGciOiJFUzI1NiIsImtpZCI6IjZjNTUxNmUxLTkyZGMtNDc5ZS1hOGZmLTVhNTE5OTJlMDAwMSIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE1OTA4ODcwMDEsInJlcXVlc3RfYm9keV9zaGEyNTYiOiJiNjNhMDdiNTQ3YjAwZjk5MjU0N2Y2YmJjOGQ5YWNjNjFhOGNjZWUxMzhiYzgyZjQ0YTZiYWEwOTY4M2E1ZDBmIn0.OOKvIihgqCj7Qrb2bmz7T3t7uK-0JyjiEqL2s1kWeJBM4MMmjaHKK8GmU_z91QolBWMzvPgs718EElY-rE3cwQ")
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		return rec
	}
	rec := post(body)
	if rec.Code != 503 || rec.Header().Get("Retry-After") == "" || !strings.Contains(rec.Body.String(), "keys_unavailable") {
		t.Errorf("no key: %d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	if strings.Contains(rec.Body.String(), "keys.example") || !strings.Contains(said.String(), "connection refused") || strings.Contains(said.String(), canary) {
		t.Errorf("answered %s, logged %s", rec.Body, said.String())
	}
	if len(log.all()) != 0 {
		t.Error("stored without a proof")
	}
	through.err, now = nil, now.Add(time.Minute)
	through.answer = `{"key":{"kty":"EC","crv":"P-256","kid":"6c5516e1-92dc-479e-a8ff-5a51992e0001","x":"35lvC8uz2QrWpQJ3TUH8t9o9DURMp7ydU518RKDl20k","y":"I8BuXB2bvxelzJAd7OKhd-ZwjCst05Fx47Mb_0ugros"}}`
	if rec := post(body); rec.Code != 200 {
		t.Errorf("with the key: %d %s", rec.Code, rec.Body)
	}
	if rec := post(body + "\n"); rec.Code != 401 {
		t.Errorf("another body: %d", rec.Code)
	}
	now = now.Add(5 * time.Minute)
	if rec := post(body); rec.Code != 401 {
		t.Errorf("an old one: %d", rec.Code)
	}
	events := log.all()
	if len(events) != 1 || events[0].Verified != "jwt" || string(events[0].Body) != body {
		t.Errorf("stored %+v", events)
	}
}
