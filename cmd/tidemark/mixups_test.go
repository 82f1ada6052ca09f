package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-dev/tidemark/eventstore/memstore"
	"github.com/tidemark-dev/tidemark/ingest"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/internal/config"
)

// TestMixUps has the secrets that people read in the wrong way: the same whsec_ is a
// text to Stripe and to Outpost, and base64 to Standard Webhooks. The log says which it is,
// in words, with what to change; the answer says nothing.
func TestMixUps(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const bare = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	const whsec = "whsec_" + bare
	const decoded = "\nsignature: {secret_encoding: base64, secret_prefix: whsec_}\n"
	cases := []struct {
		name             string
		configured, with string // a definition, built in or its text, and the secret
		sender, signs    string
		want, notWanted  string
	}{
		{name: "Standard Webhooks at stripe", configured: "stripe", with: whsec, sender: "standard-webhooks", signs: whsec,
			want: "with this secret the request is right by the built-in definition standard-webhooks"},
		{name: "Stripe at standard-webhooks", configured: "standard-webhooks", with: whsec, sender: "stripe", signs: whsec,
			want: "with this secret the request is right by the built-in definition stripe"},
		{name: "Outpost at standard-webhooks", configured: "standard-webhooks", with: whsec, sender: "outpost", signs: whsec,
			want: "with this secret the request is right by the built-in definition outpost"},
		{name: "Svix at outpost", configured: "outpost", with: whsec, sender: "svix", signs: whsec,
			want: "with this secret the request is right by the built-in definition "},
		{name: "standard-webhooks, of a sender that does not decode", configured: "standard-webhooks", with: whsec,
			sender: "name: odd\nextends: standard-webhooks\nsignature: {scheme: hmac, header: webhook-signature, separator: ' ', prefix: 'v1,', encoding: base64, content: '{id}.{timestamp}.{body}', id: {header: webhook-id}, timestamp: {header: webhook-timestamp}}\n", signs: whsec,
			want: "this secret used verbatim, not decoded, matches (Stripe's way)"},
		{name: "stripe, of a sender that decodes", configured: "stripe", with: whsec, sender: "name: odd\nextends: stripe" + decoded, signs: whsec,
			want: "looks like the base64 form after whsec_: with secret_encoding base64 and secret_prefix whsec_"},
		{name: "outpost, of a sender that decodes", configured: "outpost", with: whsec, sender: "name: odd\nextends: outpost" + decoded, signs: whsec,
			want: "looks like the base64 form after whsec_: with secret_encoding base64 and secret_prefix whsec_"},
		{name: "stripe, read as base64", configured: "name: mine\nextends: stripe" + decoded, with: whsec, sender: "stripe", signs: whsec,
			want: "with this secret the request is right by the built-in definition stripe", notWanted: "no construction"},
		{name: "outpost, read as base64", configured: "name: mine\nextends: outpost" + decoded, with: whsec, sender: "outpost", signs: whsec,
			want: "a text that is not decoded: with secret_encoding utf8 and without secret_prefix the signature matches\"}"},
		{name: "outpost, without whsec_", configured: "outpost", with: bare, sender: "outpost", signs: whsec,
			want: "begins with whsec_, which the configured one lacks"},
		{name: "stripe, without whsec_", configured: "stripe", with: bare, sender: "stripe", signs: whsec,
			want: "begins with whsec_, which the configured one lacks"},
		{name: "nango, the API key", configured: "nango", with: "the-api-key", sender: "nango", signs: "the-signing-key",
			want: "It has to be the signing key"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			cfg := config.Default()
			cfg.Sources = []config.Source{{Name: "s", MaxBody: 1 << 20, Provider: definitionFile(t, dir, "configured", c.configured), Secrets: []providers.Secret{providers.NewSecret(c.with)}}}
			sources, err := openSources(cfg)
			if err != nil {
				t.Fatal(err)
			}
			store := memstore.New()
			t.Cleanup(func() { _ = store.Close() }) // in memory: nothing is lost
			var said bytes.Buffer
			h, err := ingest.New(ingest.Options{Log: store, Sources: ingestSources(sources, nil), Now: func() time.Time { return now },
				Logger: slog.New(slog.NewJSONHandler(&said, nil)), Metrics: prometheus.NewRegistry()})
			if err != nil {
				t.Fatal(err)
			}
			sender, err := providers.Load(definitionFile(t, dir, "sender", c.sender))
			if err != nil {
				t.Fatal(err)
			}
			body := []byte(`{"type":"a.b","timestamp":"2026-03-01T12:00:00Z","data":{"connection_id":"c"}}`)
			header, err := sender.Sign(providers.NewSecret(c.signs), "msg_1", now, body)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodPost, "/in/s", bytes.NewReader(body))
			r.Header = header
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			log := said.String()
			if rec.Code != http.StatusUnauthorized || !strings.Contains(log, c.want) || c.notWanted != "" && strings.Contains(log, c.notWanted) {
				t.Errorf("answered %d, logged %s\nwant %q", rec.Code, log, c.want)
			}
			if answer := rec.Body.String(); strings.Contains(answer, "secret") || strings.Contains(answer, "whsec") || strings.Contains(answer, "built-in") {
				t.Errorf("the answer tells: %s", answer)
			}
			if strings.Contains(log, bare) || strings.Contains(log, c.with) || strings.Contains(log, c.signs) {
				t.Errorf("a secret is in the log: %s", log)
			}
		})
	}
}

// definitionFile is the name of a built-in definition, or a file with the text.
func definitionFile(t *testing.T, dir, name, definition string) string {
	t.Helper()
	if !strings.Contains(definition, "\n") {
		return definition
	}
	path := filepath.Join(dir, name+".yaml")
	if err := os.WriteFile(path, []byte(definition), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
