package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/internal/config"
)

// standardSecret is the example of the Standard Webhooks specification.
const standardSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// TestTolerance is a source's own replay window, shorter and longer than the definition's five minutes.
func TestTolerance(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	body := []byte(`{}`)
	for window, allowed := range map[time.Duration]map[time.Duration]bool{
		0:                {4 * time.Minute: true, 6 * time.Minute: false},
		time.Minute:      {50 * time.Second: true, 70 * time.Second: false},
		30 * time.Minute: {29 * time.Minute: true, 31 * time.Minute: false},
	} {
		cfg := config.Default()
		cfg.Sources = []config.Source{{Name: "s", Provider: "standard-webhooks", Tolerance: window, Secrets: []providers.Secret{providers.NewSecret(standardSecret)}}}
		sources, err := openSources(cfg)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := providers.Load("standard-webhooks")
		if err != nil {
			t.Fatal(err)
		}
		if sources[0].def.Digest() != plain.Digest() {
			t.Error("a replay window changes the digest of the mapping")
		}
		for age, want := range allowed {
			h, err := plain.Sign(providers.NewSecret(standardSecret), "msg_1", now.Add(-age), body)
			if err != nil {
				t.Fatal(err)
			}
			_, err = sources[0].verify()(providers.Request{Header: h, Body: body}, now)
			if got := err == nil; got != want || !want && !errors.Is(err, providers.ErrOutsideWindow) {
				t.Errorf("tolerance %s, age %s: %v", window, age, err)
			}
		}
	}
}

// TestToleranceWithoutTime is a window for a signature that carries no time: it would do nothing.
func TestToleranceWithoutTime(t *testing.T) {
	cfg := config.Default()
	cfg.Sources = []config.Source{{Name: "s", Where: "tidemark.yaml:3", Provider: "makini", Tolerance: time.Minute, Secrets: []providers.Secret{providers.NewSecret("a")}}}
	_, err := openSources(cfg)
	if err == nil || !strings.Contains(err.Error(), "tidemark.yaml:3") || !strings.Contains(err.Error(), "no replay window") {
		t.Errorf("error %v", err)
	}
}

// TestVerifyExplains is a wrong signature: explained now and then, not each time.
func TestVerifyExplains(t *testing.T) {
	cfg := config.Default()
	cfg.Sources = []config.Source{{Name: "s", Provider: "makini", Secrets: []providers.Secret{providers.NewSecret("right")}}}
	sources, err := openSources(cfg)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"a":1}`)
	h, err := sources[0].def.Sign(providers.NewSecret("wrong"), "", time.Time{}, body)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	verify := sources[0].verify()
	explained := 0
	for range 20 {
		_, err := verify(providers.Request{Header: h, Body: body}, now)
		if !errors.Is(err, providers.ErrBadSignature) {
			t.Fatalf("error %v", err)
		}
		if strings.Contains(err.Error(), "no construction that is known matches") {
			explained++
		}
	}
	if explained != 3 {
		t.Errorf("explained %d times in one instant, want 3", explained)
	}
}
