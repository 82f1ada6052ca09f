package providers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
)

// TestSecretNeverPrints prints a canary in every way that a program prints things.
func TestSecretNeverPrints(t *testing.T) {
	const canary = "canary-7f3a"
	s := NewSecret(canary)
	holder := struct {
		Secret  Secret            `json:"secret" yaml:"secret"`
		Pointer *Secret           `json:"pointer" yaml:"pointer"`
		List    []Secret          `json:"list" yaml:"list"`
		Map     map[string]Secret `json:"map" yaml:"map"`
		hidden  Secret
		hiddens []Secret
	}{s, &s, []Secret{s}, map[string]Secret{"k": s}, s, []Secret{s}}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", &s)
		fmt.Fprintf(&out, verb+"\n", holder)
	}
	fmt.Fprintln(&out, s, holder, fmt.Errorf("with %v", s))
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("logged", slog.Any("secret", s), slog.Any("holder", holder), slog.Any("pointer", &s))
	}
	asJSON, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(asJSON)
	asYAML, err := yaml.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(asYAML)
	if n := strings.Count(out.String(), redacted); n < 20 {
		t.Errorf("only %d times %s in\n%s", n, redacted, out.String())
	}
	for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary)} {
		if strings.Contains(out.String(), form) {
			t.Errorf("the secret is in\n%s", out.String())
		}
	}
	if s.Reveal() != canary {
		t.Error("Reveal does not reveal")
	}
}

// TestErrorsHoldNoSecret makes every scheme fail in many ways, and explains it.
func TestErrorsHoldNoSecret(t *testing.T) {
	const canary = "Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5" // also base64
	var out strings.Builder
	for _, signature := range []string{githubSignature, stripeSignature, "scheme: standard-webhooks", "scheme: token\nheader: X-T\npath: true", "scheme: basic"} {
		secret := canary
		if strings.Contains(signature, "basic") {
			secret = "user:" + canary
		}
		d := define(t, signature)
		v := verifier(t, d, secret)
		fmt.Fprintf(&out, "%v %+v %#v\n", v, v, v)
		for _, other := range vectors() {
			r := Request{Header: other.header, Body: []byte(other.body), Token: "x"}
			_, err := v.Verify(r, time.Unix(other.at, 0))
			fmt.Fprintln(&out, err, v.Explain(r, err))
		}
		// Signed rightly for other schemes, with the same secret.
		for _, signature := range []string{githubSignature, stripeSignature, "scheme: hmac\nheader: X-S\nsecret_encoding: base64\nencoding: base64"} {
			header, err := define(t, signature).Sign(NewSecret(secret), "id", time.Unix(1, 0), []byte("b"))
			if err != nil {
				continue // the secret does not fit the scheme
			}
			r := Request{Header: header, Body: []byte("b")}
			_, err = v.Verify(r, time.Unix(1, 0))
			fmt.Fprintln(&out, err, v.Explain(r, err))
		}
	}
	if strings.Contains(out.String(), canary) || strings.Contains(out.String(), "canary") {
		t.Errorf("the secret is in\n%s", out.String())
	}
	if !strings.Contains(out.String(), "base64 form") {
		t.Errorf("nothing was explained in\n%s", out.String())
	}
}
