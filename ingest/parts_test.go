package ingest

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/memstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// TestWithRealParts signs like a provider does, verifies with its definition,
// and reads back from a store that passes the conformance suite.
func TestWithRealParts(t *testing.T) {
	for _, name := range providers.Builtin() {
		t.Run(name, func(t *testing.T) {
			def, err := providers.Load(name)
			if err != nil {
				t.Fatal(err)
			}
			secret := providers.NewSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
			other := providers.NewSecret("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
			if _, err := def.Sign(secret, "msg_1", instant, nil); errors.Is(err, providers.ErrCannotSign) {
				t.Skip("only the sender can sign: TestKeysUnavailable has a request of its own")
			}
			verifier, err := def.NewVerifier([]providers.Secret{secret})
			if err != nil {
				t.Fatal(err)
			}
			store := memstore.New()
			t.Cleanup(func() {
				if err := store.Close(); err != nil {
					t.Error(err)
				}
			})
			var said bytes.Buffer
			h, err := New(Options{
				Log: store, Now: func() time.Time { return instant }, Logger: slog.New(slog.NewTextHandler(&said, nil)), Metrics: prometheus.NewRegistry(),
				Sources: []Source{{Name: "a", Verify: verifier.Verify, Headers: def.KeepHeaders(), MaxBody: 1 << 20}},
			})
			if err != nil {
				t.Fatal(err)
			}
			send := func(s providers.Secret, at time.Time, signed, sent []byte, encoding string) int {
				head, err := def.Sign(s, "msg_1", at, signed)
				if err != nil {
					t.Fatal(err)
				}
				path := "/in/a"
				if def.TokenInPath() {
					path += "/" + s.Reveal()
				}
				r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(sent))
				r.Header = head
				r.Header.Set("Content-Encoding", encoding)
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, r)
				return rec.Code
			}
			body := []byte(`{"id":"1","event_type":"connection.offline","connection_id":"c"}`)
			packed := zip(t, body)
			for _, c := range []struct {
				name   string
				status int
			}{
				{"signed", send(secret, instant, body, body, "identity")},
				{"signed and packed", send(secret, instant, packed, packed, "gzip")},
			} {
				if c.status != 200 {
					t.Errorf("%s: %d", c.name, c.status)
				}
			}
			if got := send(other, instant, body, body, "identity"); got != 401 {
				t.Errorf("signed with another secret: %d", got)
			}
			// A token proves the sender and not the body.
			if def.Scheme() != "token" {
				if got := send(secret, instant, body, append(body, ' '), "identity"); got != 401 {
					t.Errorf("a space more than was signed: %d", got)
				}
				if got := send(secret, instant, body, packed, "gzip"); got != 401 {
					t.Errorf("signed before it was packed: %d", got)
				}
			}
			for i := range eventstore.Position(2) {
				g, err := store.At(t.Context(), i+1)
				if err != nil {
					t.Fatal(err)
				}
				if len(g.Events) != 1 || !bytes.Equal(g.Events[0].Body, body) {
					t.Errorf("group %d: %+v", i+1, g)
				}
			}
			if head, err := store.Head(t.Context()); err != nil || head != 2 {
				t.Errorf("head %d, %v; want the two that were signed", head, err)
			}
			if strings.Contains(said.String(), secret.Reveal()) || strings.Contains(said.String(), other.Reveal()) {
				t.Errorf("a secret is in the log: %s", said.String())
			}
		})
	}
}
