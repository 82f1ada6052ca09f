package providers

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	// verbatim is a secret that looks like base64 after a prefix. What its bytes are as a key is each provider's own.
	verbatim   = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	slackBody  = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	githubForm = "payload=%7B%22zen%22%3A%22Speak+like+a+human.%22%2C%22hook_id%22%3A109948940%7D"
	outpostDoc = `{"id":"opev_1","topic":"tenant.subscription.updated","time":"2026-03-14T09:26:53Z","tenant_id":"tenant_123","data":{}}`
	outpostHex = "e53ad885d1e1a98844676c61e820e9340d24ad4b9f98307fa16b7aed51748f55"
	outpostOld = "5cb257a53631ec64f82ad9a81da2a9e3e158ae521fce1b47b3731eb421f7cc08"
	rolledHex  = "386a0620991589854f226889be36170cd76991f530bb9b8052bfff8c42a03186"
	example    = `{"examplePayload":true}`
)

// standardHeader is the published vector of Standard Webhooks under a family of headers.
func standardHeader(family string) http.Header {
	return headers(family+"-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", family+"-timestamp", "1614265330",
		family+"-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
}

// TestBuiltinVectors holds the definitions that are shipped to signatures that
// are known to be right: published by the provider, or computed with another
// language's HMAC from its documents. The latter prove that the definition
// says what the documents say, not that the provider does what they say.
func TestBuiltinVectors(t *testing.T) {
	for _, c := range []struct {
		name, definition, secret string
		header                   http.Header
		body                     string
		at                       int64
	}{
		{"published", "github", "It's a Secret to Everybody",
			headers("X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"), "Hello, World!", 0},
		{"computed, a form", "github", "It's a Secret to Everybody",
			headers("X-Hub-Signature-256", "sha256=7beb18ca543b97942ee88da63f119489be9445dd0338d173479ba7960860980d"), githubForm, 0},
		{"published", "standard-webhooks", verbatim, standardHeader("webhook"), `{"test": 2432232314}`, 1614265330},
		{"published, Svix's headers", "standard-webhooks", verbatim, standardHeader("svix"), `{"test": 2432232314}`, 1614265330},
		{"published", "svix", verbatim, standardHeader("svix"), `{"test": 2432232314}`, 1614265330},
		{"published, the standard's headers", "svix", verbatim, standardHeader("webhook"), `{"test": 2432232314}`, 1614265330},
		{"published, of the standard", "zapier", verbatim, standardHeader("webhook"), `{"test": 2432232314}`, 1614265330},
		{"computed", "stripe", "whsec_test_secret", headers("Stripe-Signature", "t=1614556800,v1="+stripeHex), stripeDoc, 1614556800},
		{"computed, rolled, the old secret", "stripe", "whsec_test_secret",
			headers("Stripe-Signature", "t=1614556800,v1="+rolledHex+",v1="+stripeHex+",v0="+outpostHex), stripeDoc, 1614556800},
		{"computed, rolled, the new secret", "stripe", "whsec_new_secret",
			headers("Stripe-Signature", "t=1614556800,v1="+rolledHex+",v1="+stripeHex), stripeDoc, 1614556800},
		{"computed", "outpost", verbatim, headers("X-Outpost-Signature", "v0="+outpostHex), outpostDoc, 0},
		{"computed, the secret is replaced", "outpost", verbatim, headers("X-Outpost-Signature", "v0="+outpostHex+","+outpostOld), outpostDoc, 0},
		{"computed, the secret before", "outpost", "the secret before", headers("X-Outpost-Signature", "v0="+outpostHex+","+outpostOld), outpostDoc, 0},
		{"computed, header and encoding assumed", "makini", "makini_secret",
			headers("X-Makini-Signature", "dd8e431bddf72208d1fd8637a24da2096b1f11e910e807002b87cdcaa995d736"), example, 0},
	} {
		t.Run(c.definition+", "+c.name, func(t *testing.T) {
			d, err := Load(c.definition)
			if err != nil {
				t.Fatal(err)
			}
			holdVector(t, d, vector{c.name, "", c.secret, c.header, c.body, c.at})
		})
	}
}

// TestOtherVectors has providers that no definition is shipped for: their
// constructions can be said in a definition.
func TestOtherVectors(t *testing.T) {
	for _, vec := range []vector{
		{"Slack, published", "scheme: hmac\nheader: X-Slack-Signature\nprefix: v0=\ncontent: \"v0:{timestamp}:{body}\"\ntimestamp: {header: X-Slack-Request-Timestamp}",
			"8f742231b10e8888abcd99yyyzzz85a5", headers("X-Slack-Request-Timestamp", "1531420618",
				"X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"), slackBody, 1531420618},
		{"Hookdeck Event Gateway, computed", "scheme: hmac\nheader: X-Hookdeck-Signature\nencoding: base64", "hookdeck_secret",
			headers("X-Hookdeck-Signature", "WEabYn/k6xUhC9+vrBKYMcjIu5PSRwiAY9EdoRMj278="), example, 0},
		{"Shopify, computed", "scheme: hmac\nheader: X-Shopify-Hmac-SHA256\nencoding: base64", "shopify_secret",
			headers("X-Shopify-Hmac-SHA256", "Ddd3PLU72nOrb61eii69bePh3BkQsSkqmiEjOAwqnbg="), example, 0},
		{"Convoy, computed", "scheme: hmac\nheader: X-Convoy-Signature\nseparator: \",\"\nkey: v1\ntimestamp: {key: t}\ncontent: \"{timestamp},{body}\"", "convoy_secret",
			headers("X-Convoy-Signature", "t=1614556800,v1=f7a54d356e669e8a76fc3c3ebae074eb0a49cb05484d351e13de4679ffe3db33,v2=8b6ddbdb94ec140055fcdaca80d3ff2a3cbb7a060566bedc203c70fdc8d91e907446440688717560101bb105a44b6731e2cd5f8383bb4006b42ff5a3518051b2"), example, 1614556800},
		{"Convoy, computed, SHA-512", "scheme: hmac\nheader: X-Convoy-Signature\nalgorithm: sha512\nseparator: \",\"\nkey: v2\ntimestamp: {key: t}\ncontent: \"{timestamp},{body}\"", "convoy_secret",
			headers("X-Convoy-Signature", "t=1614556800,v1=f7a54d356e669e8a76fc3c3ebae074eb0a49cb05484d351e13de4679ffe3db33,v2=8b6ddbdb94ec140055fcdaca80d3ff2a3cbb7a060566bedc203c70fdc8d91e907446440688717560101bb105a44b6731e2cd5f8383bb4006b42ff5a3518051b2"), example, 1614556800},
	} {
		t.Run(vec.name, func(t *testing.T) { holdVector(t, define(t, vec.signature), vec) })
	}
}

// holdVector verifies a vector, and then refuses it with another body, with another secret, and a second beyond the window.
func holdVector(t *testing.T, d *Definition, vec vector) {
	t.Helper()
	other := base64.StdEncoding.EncodeToString([]byte("another secret of 24 byt"))
	v, now := verifier(t, d, other, vec.secret), time.Unix(vec.at, 0)
	r := Request{Header: vec.header, Body: []byte(vec.body)}
	if verified, err := v.Verify(r, now); err != nil || verified != d.Scheme() {
		t.Fatalf("%q, %v", verified, err)
	}
	if _, err := verifier(t, d, other).Verify(r, now); !errors.Is(err, ErrBadSignature) {
		t.Errorf("with another secret: %v", err)
	}
	changed := Request{Header: vec.header, Body: []byte(vec.body + "\n")}
	if _, err := v.Verify(changed, now); !errors.Is(err, ErrBadSignature) {
		t.Errorf("with another body: %v", err)
	}
	if vec.at == 0 {
		return
	}
	for _, edge := range []time.Duration{-5 * time.Minute, 5 * time.Minute} {
		if _, err := v.Verify(r, now.Add(edge)); err != nil {
			t.Errorf("at the edge of the window, %v: %v", edge, err)
		}
		if _, err := v.Verify(r, now.Add(edge+edge/300)); !errors.Is(err, ErrOutsideWindow) {
			t.Errorf("a second beyond the window, %v: %v", edge, err)
		}
	}
}

// TestSpecExample has the header of the specification's own example, which comes without a key: a list of a v1 and a v1a.
func TestSpecExample(t *testing.T) {
	header := headers("webhook-id", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", "webhook-timestamp", "1674087231", "webhook-signature",
		"v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4= v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==")
	for _, name := range []string{"standard-webhooks", "svix", "zapier"} {
		d, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = verifier(t, d, verbatim).Verify(Request{Header: header, Body: []byte("{}")}, time.Unix(1674087231, 0))
		if !errors.Is(err, ErrBadSignature) || !strings.Contains(err.Error(), "1 of version v1 and 1 of v1a") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSecretsMixedUp: whsec_ begins secrets that are base64, and secrets that are not. Whoever has taken one for the other is told.
func TestSecretsMixedUp(t *testing.T) {
	decoded := func(text string) []byte {
		b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(verbatim, "whsec_"))
		if err != nil {
			t.Fatal(err)
		}
		return mac256(string(b), text)
	}
	hexOf := hex.EncodeToString
	for _, c := range []struct {
		definition string
		header     http.Header
		want       string
	}{
		{"stripe", headers("Stripe-Signature", "t=1614556800,v1="+hexOf(decoded("1614556800."+example))), "with secret_encoding base64 and secret_prefix whsec_ the signature matches"},
		{"outpost", headers("X-Outpost-Signature", "v0="+hexOf(decoded(example))), "with secret_encoding base64 and secret_prefix whsec_ the signature matches"},
		{"standard-webhooks", headers("webhook-id", "m1", "webhook-timestamp", "1614556800", "webhook-signature",
			"v1,"+base64.StdEncoding.EncodeToString(mac256(verbatim, "m1.1614556800."+example))), "used verbatim, not decoded, matches"},
		{"svix", headers("svix-id", "m1", "svix-timestamp", "1614556800", "svix-signature",
			"v1,"+base64.StdEncoding.EncodeToString(mac256(verbatim, "m1.1614556800."+example))), "used verbatim, not decoded, matches"},
		{"standard-webhooks", headers("Stripe-Signature", "t=1614556800,v1="+hexOf(mac256(verbatim, "1614556800."+example))), "used verbatim, not decoded, matches"},
	} {
		d, err := Load(c.definition)
		if err != nil {
			t.Fatal(err)
		}
		v, r := verifier(t, d, verbatim), Request{Header: c.header, Body: []byte(example)}
		_, err = v.Verify(r, time.Unix(1614556800, 0))
		if err == nil {
			t.Errorf("%s: verified", c.definition)
			continue
		}
		if got := v.Explain(r, err); !strings.Contains(got, c.want) || strings.Contains(got, verbatim) {
			t.Errorf("%s: %v: %q, want %q", c.definition, err, got, c.want)
		}
	}
}

// BenchmarkFixtures maps each fixture of each definition that is shipped.
func BenchmarkFixtures(b *testing.B) {
	for _, name := range Builtin() {
		d, err := Load(name)
		if err != nil {
			b.Fatal(err)
		}
		fixtures, err := BuiltinFixtures(name)
		if err != nil {
			b.Fatal(err)
		}
		m := d.NewMapper()
		for i := range fixtures.List {
			x := &fixtures.List[i]
			header := x.Header()
			b.Run(name+"/"+x.Name, func(b *testing.B) {
				b.SetBytes(int64(len(x.Body)))
				b.ReportAllocs()
				for b.Loop() {
					_, _ = m.Map(x.Body, header.Get) // some belong into the quarantine
				}
			})
		}
	}
}
