package providers

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"
)

func mac256(key, text string) []byte {
	m := newHMACKey("sha256", []byte(key)).get()
	m.write([]segment{{segLiteral, text}}, "", "", nil)
	return m.h.Sum(nil)
}

// TestExplain has the mistakes that people make, and what they are told.
func TestExplain(t *testing.T) {
	raw := "a key of 24 random bytes"
	asBase64 := base64.StdEncoding.EncodeToString([]byte(raw))
	asHex := hex.EncodeToString([]byte(raw))
	const body = `{"a": 1}`
	std := func(sum []byte) http.Header {
		return headers("webhook-id", "m1", "webhook-timestamp", "100", "webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(sum))
	}
	x := func(text string) http.Header { return headers("X-S", text) }
	hexOf := func(b []byte) string { return hex.EncodeToString(b) }
	cases := []struct {
		name, signature, secret string
		header                  http.Header
		want                    string
	}{
		{"secret is base64", "scheme: hmac\nheader: X-S", asBase64, x(hexOf(mac256(raw, body))),
			"this secret looks like the base64 form: with secret_encoding base64 the signature matches"},
		{"secret is hex", "scheme: hmac\nheader: X-S", asHex, x(hexOf(mac256(raw, body))), "the hexadecimal form: with secret_encoding hex"},
		{"secret is whsec_ and base64", "scheme: hmac\nheader: X-S", "whsec_" + asBase64, x(hexOf(mac256(raw, body))),
			"the base64 form after whsec_: with secret_encoding base64 and secret_prefix whsec_"},
		{"secret is text", "scheme: hmac\nheader: X-S\nsecret_encoding: base64", asBase64, x(hexOf(mac256(asBase64, body))), "with secret_encoding utf8"},
		{"whsec_ verbatim", "scheme: standard-webhooks", "whsec_" + asBase64, std(mac256("whsec_"+asBase64, "m1.100."+body)), "verbatim"},
		{"Stripe's header", "scheme: standard-webhooks", "whsec_" + asBase64,
			headers("Stripe-Signature", "t=100,v1="+hexOf(mac256("whsec_"+asBase64, "100."+body))), "Stripe's way"},
		{"other encoding", "scheme: hmac\nheader: X-S", "k", x(base64.StdEncoding.EncodeToString(mac256("k", body))), `encoding base64 where the definition says "hex"`},
		{"other header", "scheme: hmac\nheader: X-Other", "k", x(hexOf(mac256("k", body))), `header X-S where the definition says "X-Other"`},
		{"other content", "scheme: hmac\nheader: X-S", "k", headers("X-S", hexOf(mac256("k", "100."+body)), "X-T", "100"), `content "{timestamp}.{body}"`},
		{"prefix", "scheme: hmac\nheader: X-S", "k", x("sha256=" + hexOf(mac256("k", body))), `prefix "sha256="`},
		{"newline cut", "scheme: hmac\nheader: X-S", "k", x(hexOf(mac256("k", body+"\n"))), "ends with a newline"},
		{"formatted anew", "scheme: hmac\nheader: X-S", "k", x(hexOf(mac256("k", `{"a":1}`))), "compact form"},
		{"blank after the secret", "scheme: hmac\nheader: X-S", "k ", x(hexOf(mac256("k", body))), "white space around it"},
		{"a token", "scheme: hmac\nheader: X-S", "tok", x("tok"), "as a token in the header X-S"},
		{"nothing", "scheme: hmac\nheader: X-S", "k", headers("Accept", "text/html"), "nothing that looks like a signature"},
		{"elsewhere", "scheme: hmac\nheader: X-S", "k", headers("X-Acme-Signature", "zzz"), "other headers: X-Acme-Signature"},
		{"another secret", "scheme: hmac\nheader: X-S", "k", x(hexOf(mac256("other", body))), "another one"},
	}
	for _, c := range cases {
		v := verifier(t, define(t, c.signature), c.secret)
		r := Request{Header: c.header, Body: []byte(body)}
		_, err := v.Verify(r, time.Unix(100, 0))
		if err == nil {
			t.Errorf("%s: verified", c.name)
			continue
		}
		if got := v.Explain(r, err); !strings.Contains(got, c.want) {
			t.Errorf("%s: %v: %q, want %q", c.name, err, got, c.want)
		}
	}
}

// TestExplainSHA1 has a hash that is not the definition's.
func TestExplainSHA1(t *testing.T) {
	header, err := define(t, "scheme: hmac\nheader: X-S\nalgorithm: sha1").Sign(NewSecret("k"), "", time.Unix(0, 0), []byte("b"))
	if err != nil {
		t.Fatal(err)
	}
	v := verifier(t, define(t, "scheme: hmac\nheader: X-S"), "z", "k")
	r := Request{Header: header, Body: []byte("b")}
	_, err = v.Verify(r, time.Unix(0, 0))
	if got := v.Explain(r, err); !strings.Contains(got, `algorithm sha1 where the definition says "sha256"`) {
		t.Errorf("%v: %s", err, got)
	}
}

// TestConstructionsFindVectors finds each vector's construction, and the
// definition that it writes verifies the vector.
func TestConstructionsFindVectors(t *testing.T) {
	for _, vec := range vectors() {
		r := Request{Header: vec.header, Body: []byte(vec.body)}
		found := Constructions(r, NewSecret(vec.secret))
		if len(found) == 0 {
			t.Errorf("%s: none found", vec.name)
			continue
		}
		part := found[0].YAML()
		d, err := Parse("found.yaml", []byte("name: found\n"+part+"mapping: {type: body.type, connection: body.c}\n"))
		if err != nil {
			t.Errorf("%s: %s: %v", vec.name, part, err)
			continue
		}
		if _, err := verifier(t, d, vec.secret).Verify(r, time.Unix(vec.at, 0)); err != nil {
			t.Errorf("%s: %s: %v", vec.name, part, err)
		}
		if found := Constructions(r, NewSecret("another")); len(found) != 0 {
			t.Errorf("%s: found with another secret: %v", vec.name, found)
		}
	}
}

// TestConstructionsBounded searches a request that is made to be slow.
func TestConstructionsBounded(t *testing.T) {
	h := http.Header{}
	for i := range 200 {
		name := "X-" + strings.Repeat("a", i+1)
		h.Add(name+"-Id", strings.Repeat("0", 64))
		h.Add(name+"-Time", "1614265330")
	}
	r := Request{Header: h, Body: make([]byte, 1<<20)}
	s := &search{request: r, secret: "k", budget: searchBytes}
	s.collect()
	s.hashed()
	if len(s.signatures) > searchSignatures || len(s.ids) > searchPlaces || len(s.times) > searchPlaces || s.budget > 0 {
		t.Fatalf("%d signatures, %d ids, %d times, %d bytes left", len(s.signatures), len(s.ids), len(s.times), s.budget)
	}
}
