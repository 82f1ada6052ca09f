package providers

import (
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestBadSignatures has what must not pass, and with which reason.
func TestBadSignatures(t *testing.T) {
	now := time.Unix(1614265330, 0)
	std := define(t, "scheme: standard-webhooks")
	gh := define(t, githubSignature)
	stripe := define(t, stripeSignature)
	token := define(t, "scheme: token\nheader: X-Token\npath: true")
	basic := define(t, "scheme: basic")
	secrets := map[*Definition]string{std: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", gh: "s", stripe: "whsec_test_secret", token: "tok", basic: "u:p"}
	const goodStd = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	const stdBody = `{"test": 2432232314}`
	stdHeader := func(id, timestamp, signature string) http.Header {
		return headers("webhook-id", id, "webhook-timestamp", timestamp, "webhook-signature", signature)
	}
	const id = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	ghGood, err := gh.Sign(NewSecret("s"), "", now, []byte("b"))
	if err != nil {
		t.Fatal(err)
	}
	good := ghGood.Get("X-Hub-Signature-256")
	cases := []struct {
		name   string
		d      *Definition
		header http.Header
		token  string
		body   string
		want   error // nil: passes
	}{
		{"good", std, stdHeader(id, "1614265330", goodStd), "", stdBody, nil},
		{"good behind others", std, stdHeader(id, "1614265330", "v2,zzz v1,AAAA v1a,BBBB "+goodStd), "", stdBody, nil},
		{"v1, and nothing after it", std, stdHeader(id, "1614265330", "v1,"), "", stdBody, ErrBadSignature},
		{"v1 alone", std, stdHeader(id, "1614265330", "v1"), "", stdBody, ErrMalformed},
		{"empty", std, stdHeader(id, "1614265330", ""), "", stdBody, ErrNoSignature},
		{"blank", std, stdHeader(id, "1614265330", " "), "", stdBody, ErrMalformed},
		{"short", std, stdHeader(id, "1614265330", "v1,g0hM9SsE"), "", stdBody, ErrBadSignature},
		{"long", std, stdHeader(id, "1614265330", goodStd+"AAAA"), "", stdBody, ErrBadSignature},
		{"too much padding", std, stdHeader(id, "1614265330", goodStd+"===="), "", stdBody, ErrBadSignature},
		{"unpadded", std, stdHeader(id, "1614265330", strings.TrimRight(goodStd, "=")), "", stdBody, nil},
		{"loose bits", std, stdHeader(id, "1614265330", strings.Replace(goodStd, "OE=", "OF=", 1)), "", stdBody, ErrBadSignature},
		{"another version", std, stdHeader(id, "1614265330", "v2"+goodStd[2:]), "", stdBody, ErrMalformed},
		{"version in capitals", std, stdHeader(id, "1614265330", "V1"+goodStd[2:]), "", stdBody, ErrMalformed},
		{"v1 content as v1a", std, stdHeader(id, "1614265330", "v1a"+goodStd[2:]), "", stdBody, ErrBadSignature},
		{"newline in the signature", std, stdHeader(id, "1614265330", goodStd[:10]+"\n"+goodStd[10:]), "", stdBody, ErrBadSignature},
		{"sixteen", std, stdHeader(id, "1614265330", strings.Repeat("v1,AAAA ", 15)+goodStd), "", stdBody, nil},
		{"seventeen", std, stdHeader(id, "1614265330", strings.Repeat("v1,AAAA ", 16)+goodStd), "", stdBody, ErrMalformed},
		{"ten thousand", std, stdHeader(id, "1614265330", strings.Repeat("v1, ", 10_000)+goodStd), "", stdBody, ErrMalformed},
		{"signed timestamp", std, stdHeader(id, "+1614265330", goodStd), "", stdBody, ErrMalformed},
		{"leading zero", std, stdHeader(id, "01614265330", goodStd), "", stdBody, ErrBadSignature},
		{"blank before the timestamp", std, stdHeader(id, " 1614265330", goodStd), "", stdBody, ErrMalformed},
		{"Arabic digits", std, stdHeader(id, "١٦١٤٢٦٥٣٣٠", goodStd), "", stdBody, ErrMalformed},
		{"20 digits", std, stdHeader(id, "16142653301614265330", goodStd), "", stdBody, ErrMalformed},
		{"no timestamp", std, headers("webhook-id", id, "webhook-signature", goodStd), "", stdBody, ErrNoSignature},
		{"no id", std, headers("webhook-timestamp", "1614265330", "webhook-signature", goodStd), "", stdBody, ErrNoSignature},
		{"families mixed", std, headers("svix-id", id, "webhook-timestamp", "1614265330", "webhook-signature", goodStd), "", stdBody, ErrNoSignature},
		{"two signature lines", std, headers("webhook-id", id, "webhook-timestamp", "1614265330", "webhook-signature", goodStd, "webhook-signature", goodStd), "", stdBody, ErrMalformed},
		{"two ids", std, headers("webhook-id", id, "webhook-id", "x", "webhook-timestamp", "1614265330", "webhook-signature", goodStd), "", stdBody, ErrMalformed},
		{"'.' in the id", std, stdHeader("msg.1", "1614265330", goodStd), "", stdBody, ErrMalformed},
		{"20 kB id", std, stdHeader(strings.Repeat("x", 20_000), "1614265330", goodStd), "", stdBody, ErrMalformed},
		{"not ASCII", std, stdHeader("msg_é\xff", "1614265330", "v1,é\xff"), "", stdBody, ErrBadSignature},

		{"good hex", gh, ghGood, "", "b", nil},
		{"hex in capitals", gh, headers("X-Hub-Signature-256", "sha256="+strings.ToUpper(good[7:])), "", "b", nil},
		{"without its prefix", gh, headers("X-Hub-Signature-256", good[7:]), "", "b", ErrMalformed},
		{"prefix alone", gh, headers("X-Hub-Signature-256", "sha256="), "", "b", ErrMalformed},
		{"sha1", gh, headers("X-Hub-Signature-256", "sha1="+good[7:47]), "", "b", ErrMalformed},
		{"one digit short", gh, headers("X-Hub-Signature-256", good[:len(good)-1]), "", "b", ErrMalformed},
		{"one digit more", gh, headers("X-Hub-Signature-256", good+"0"), "", "b", ErrMalformed},
		{"not hex", gh, headers("X-Hub-Signature-256", good[:len(good)-1]+"g"), "", "b", ErrMalformed},
		{"blank inside", gh, headers("X-Hub-Signature-256", "sha256= "+good[7:]), "", "b", ErrMalformed},
		{"other body", gh, ghGood, "", "c", ErrBadSignature},
		{"empty body", gh, ghGood, "", "", ErrBadSignature},

		{"good", stripe, headers("Stripe-Signature", "t=1614556800,v1="+stripeHex), "", stripeDoc, ErrOutsideWindow},
		{"old secret first", stripe, headers("Stripe-Signature", "t=1614556800,v1="+strings.Repeat("0", 64)+",v1="+stripeHex+",v0=abc"), "", stripeDoc, ErrOutsideWindow},
		{"v0 only", stripe, headers("Stripe-Signature", "t=1614556800,v0="+stripeHex), "", stripeDoc, ErrMalformed},
		{"no time", stripe, headers("Stripe-Signature", "v1="+stripeHex), "", stripeDoc, ErrMalformed},
		{"two times", stripe, headers("Stripe-Signature", "t=1614556800,t=1614265330,v1="+stripeHex), "", stripeDoc, ErrMalformed},
		{"time moved", stripe, headers("Stripe-Signature", "t=1614265330,v1="+stripeHex), "", stripeDoc, ErrBadSignature},
		{"many entries", stripe, headers("Stripe-Signature", "t=1614556800"+strings.Repeat(",x=1", 40)+",v1="+stripeHex), "", stripeDoc, ErrMalformed},
		{"many signatures", stripe, headers("Stripe-Signature", "t=1614556800"+strings.Repeat(",v1=00", 17)), "", stripeDoc, ErrMalformed},
		{"commas", stripe, headers("Stripe-Signature", ",,,"), "", stripeDoc, ErrMalformed},
		{"year 9999 in ms", stripe, headers("Stripe-Signature", "t=253402300799000,v1="+stripeHex), "", stripeDoc, ErrBadSignature},

		{"in the header", token, headers("X-Token", "tok"), "", "b", nil},
		{"in the path", token, nil, "tok", "b", nil},
		{"wrong in the path, right in the header", token, headers("X-Token", "tok"), "no", "b", ErrBadSignature},
		{"a prefix of it", token, headers("X-Token", "to"), "", "b", ErrBadSignature},
		{"longer", token, headers("X-Token", "tokk"), "", "b", ErrBadSignature},
		{"none", token, nil, "", "b", ErrNoSignature},
		{"20 kB in the path", token, nil, strings.Repeat("x", 20_000), "b", ErrMalformed},

		{"good", basic, headers("Authorization", "Basic dTpw"), "", "b", nil},
		{"lower case", basic, headers("Authorization", "basic dTpw"), "", "b", nil},
		{"bearer", basic, headers("Authorization", "Bearer dTpw"), "", "b", ErrMalformed},
		{"wrong password", basic, headers("Authorization", "Basic dTpx"), "", "b", ErrBadSignature},
		{"not base64", basic, headers("Authorization", "Basic %%%"), "", "b", ErrMalformed},
		{"short", basic, headers("Authorization", "B"), "", "b", ErrMalformed},
	}
	for _, c := range cases {
		v := verifier(t, c.d, secrets[c.d])
		header := c.header
		if header == nil {
			header = http.Header{}
		}
		_, err := v.Verify(Request{Header: header, Token: c.token, Body: []byte(c.body)}, now)
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s, %s: %v, want %v", c.d.Scheme(), c.name, err, c.want)
		}
		if err != nil && ReasonOf(err) == "other" {
			t.Errorf("%s, %s: no reason in %v", c.d.Scheme(), c.name, err)
		}
	}
}

// TestNoScheme: what signs nothing passes, and a secret for it is a mistake that is told.
func TestNoScheme(t *testing.T) {
	d := define(t, "scheme: none")
	if verified, err := verifier(t, d).Verify(Request{Header: http.Header{}}, time.Time{}); verified != "none" || err != nil {
		t.Fatal(verified, err)
	}
	if _, err := d.NewVerifier([]Secret{NewSecret("x")}); err == nil {
		t.Fatal("a secret that nothing checks was accepted")
	}
}

// TestUnusableSecrets: the error says what is wrong with a secret and not what it is.
func TestUnusableSecrets(t *testing.T) {
	cases := []struct{ signature, secret, want string }{
		{githubSignature, "", "is empty"},
		{"scheme: hmac\nheader: X\nsecret_encoding: hex", "canary-not-hex", "is not hexadecimal"},
		{"scheme: hmac\nheader: X\nsecret_encoding: base64", "canary*", "is not base64"},
		{"scheme: hmac\nheader: X\nsecret_prefix: whsec_", "whsec_", "is empty"},
		{"scheme: standard-webhooks", "whsec_canary*", "is not base64"},
		{"scheme: standard-webhooks", "whpk_canary+canary+canary", "public key"},
		{"scheme: standard-webhooks", "whsk_canary+canary+canary", "private key"},
		{"scheme: basic", "canary", "user:password"},
	}
	for _, c := range cases {
		_, err := define(t, c.signature).NewVerifier([]Secret{NewSecret(c.secret)})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, want %q", c.signature, err, c.want)
		}
	}
	if _, err := define(t, githubSignature).NewVerifier(nil); err == nil || !strings.Contains(err.Error(), "secrets:") {
		t.Errorf("no secret: %v", err)
	}
}

// TestIDsThatMoveTheBoundary: no two (id, time, body) may sign the same bytes.
func TestIDsThatMoveTheBoundary(t *testing.T) {
	now := time.Unix(1614265330, 0)
	d := define(t, "scheme: hmac\nheader: X-S\ncontent: \"{id}--{timestamp}.{body}\"\nid: {header: X-Id}\ntimestamp: {header: X-T}")
	v := verifier(t, d, "s")
	header, err := d.Sign(NewSecret("s"), "a", now, []byte("1--2.b"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(Request{Header: header, Body: []byte("1--2.b")}, now); err != nil {
		t.Fatal(err)
	}
	// The same signed bytes a--1614265330.1--2.b with the boundary of the id moved.
	header.Set("X-Id", "a--1614265330.1")
	header.Set("X-T", "2")
	if _, err := v.Verify(Request{Header: header, Body: []byte("b")}, time.Unix(2, 0)); !errors.Is(err, ErrMalformed) {
		t.Fatalf("the boundary moved and it passed: %v", err)
	}
	if _, err := d.Sign(NewSecret("s"), "a-", now, nil); err == nil {
		t.Fatal("an id that ends in a part of its separator was signed")
	}
}

// TestIDAfterTheBody: behind the body, an id must not hold the text before it.
func TestIDAfterTheBody(t *testing.T) {
	now := time.Unix(1614265330, 0)
	d := define(t, "scheme: hmac\nheader: X-S\ncontent: \"{body}.{id}\"\nid: {header: X-Id}")
	header, err := d.Sign(NewSecret("s"), "b", now, []byte("x.a"))
	if err != nil {
		t.Fatal(err)
	}
	v := verifier(t, d, "s")
	if _, err := v.Verify(Request{Header: header, Body: []byte("x.a")}, now); err != nil {
		t.Fatal(err)
	}
	header.Set("X-Id", "a.b") // signs x.a.b too
	if _, err := v.Verify(Request{Header: header, Body: []byte("x")}, now); !errors.Is(err, ErrMalformed) {
		t.Fatalf("the boundary moved and it passed: %v", err)
	}
}

// TestRotation: each of two secrets passes, in every scheme.
func TestRotation(t *testing.T) {
	now := time.Unix(1614265330, 0)
	for _, signature := range []string{githubSignature, stripeSignature, "scheme: standard-webhooks", "scheme: token\nheader: X-T", "scheme: basic"} {
		d := define(t, signature)
		secrets := []string{"b2xkZXI6c2VjcmV0", "bmV3ZXI6c2VjcmV0"}
		if d.Scheme() == "basic" {
			secrets = []string{"u:old", "u:new"}
		}
		v := verifier(t, d, secrets...)
		for _, secret := range secrets {
			header, err := d.Sign(NewSecret(secret), "m", now, []byte("b"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := v.Verify(Request{Header: header, Body: []byte("b")}, now); err != nil {
				t.Errorf("%s: %v", signature, err)
			}
		}
	}
}

// TestDecodeSignature compares with the standard library over random inputs.
func TestDecodeSignature(t *testing.T) {
	dst := make([]byte, 32)
	for i := range 256 {
		text := strings.Repeat("a", 63) + string([]byte{byte(i)})
		_, err := hex.DecodeString(text)
		if got := decodeSignature(dst, text, "hex"); got != (err == nil) {
			t.Errorf("hex byte %d: %v", i, got)
		}
	}
}
