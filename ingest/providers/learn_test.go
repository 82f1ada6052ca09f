package providers

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestLearnBuiltin signs by each built-in definition, and learns which it was.
func TestLearnBuiltin(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	signed := 0
	for _, name := range Builtin() {
		d, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if d.Scheme() == "jwt" || d.Scheme() == "none" {
			continue
		}
		signed++
		r := Request{Body: []byte(`{"type":"a"}`)}
		if r.Header, err = d.Sign(NewSecret(secret), "msg_1", at, r.Body); err != nil {
			t.Fatal(err)
		}
		if d.TokenInPath() && len(r.Header) == 0 {
			r.Token = secret
		}
		l := Learn(r, []Secret{NewSecret("another"), NewSecret(secret)})
		if !slices.Contains(l.Definitions, name) || len(l.Matches) == 0 || len(l.Addressed) > 0 {
			t.Errorf("%s: %+v", name, l)
		}
		if l := Learn(r, []Secret{NewSecret("another")}); len(l.Definitions)+len(l.Matches) > 0 {
			t.Errorf("%s with another secret: %+v", name, l)
		}
	}
	if signed < 5 {
		t.Errorf("only %d definitions sign", signed)
	}
}

// TestLearnClose has what almost fits, and the words for it.
func TestLearnClose(t *testing.T) {
	const body = `{"b":1,"a":[1,2]}`
	hexOf := func(b []byte) string { return hex.EncodeToString(b) }
	sha384 := hmac.New(sha512.New384, []byte("k"))
	sha384.Write([]byte(body))
	s := newSigner(t)
	at := time.Unix(1_700_000_000, 0)
	x := func(text string, more ...string) http.Header {
		return headers(append([]string{"X-S", text}, more...)...)
	}
	for name, c := range map[string]struct {
		header http.Header
		body   string
		want   string
	}{
		"twice encoded":    {x(base64.StdEncoding.EncodeToString([]byte(hexOf(mac256("k", body))))), body, "in base64 once more"},
		"newline added":    {x(hexOf(mac256("k", body))), body + "\n", "no newline at its end"},
		"newline cut off":  {x(hexOf(mac256("k", body+"\n"))), body, "ends with a newline"},
		"CR LF":            {x(hexOf(mac256("k", "{\n}"))), "{\r\n}", "bare newlines"},
		"indented by two":  {x(hexOf(mac256("k", "{\n  \"b\": 1\n}"))), `{"b":1}`, "indented by two"},
		"indented by four": {x(hexOf(mac256("k", "{\n    \"b\": 1\n}"))), `{"b":1}`, "indented by four"},
		"blanks":           {x(hexOf(mac256("k", `{"b": 1, "a": [1, 2]}`))), body, "blanks after colons"},
		"sorted":           {x(hexOf(mac256("k", `{"a":[1,2],"b":1}`))), body, "names sorted"},
		"form field":       {x(hexOf(mac256("k", `{"a":1}`))), "payload=%7B%22a%22%3A1%7D", "form field payload"},
		"time alone":       {x(hexOf(mac256("k", "1700000000")), "X-T", "1700000000"), body, "does not cover the body"},
		"nothing between":  {x(hexOf(mac256("k", "1700000000"+body)), "X-T", "1700000000"), body, "nothing stands between"},
		"another hash":     {x("sha384=" + hexOf(sha384.Sum(nil))), body, "SHA-384"},
		"a JWT":            {headers("X-Jwt", s.raw(`{"alg":"ES256","kid":"k1"}`, claimsOf([]byte(body), at))), body, `with the SHA-256 of the body as its claim request_body_sha256; whether it is authentic shows with the key "k1"`},
		"JWT, other body":  {headers("X-Jwt", s.raw(`{"alg":"ES256","kid":"k1"}`, claimsOf([]byte("x"), at))), body, "made for another body"},
		"JWT, formatted":   {headers("X-Jwt", s.raw(`{"alg":"ES256","kid":"k1"}`, claimsOf([]byte(body), at))), `{"b":1, "a":[1,2]}`, "the compact form"},
		"JWT, HS256":       {headers("Authorization", "Bearer "+s.raw(`{"alg":"HS256"}`, `{"iat":1}`)), body, "its algorithm is HS256"},
	} {
		l := Learn(Request{Header: c.header, Body: []byte(c.body)}, []Secret{NewSecret("k")})
		var all []string
		for _, one := range l.Close {
			all = append(all, one.String())
			if one.YAML() != "" {
				t.Errorf("%s: a definition for what does not fit: %s", name, one.YAML())
			}
		}
		if len(l.Matches)+len(l.Definitions) > 0 || !strings.Contains(strings.Join(all, "\n"), c.want) {
			t.Errorf("%s: matches %v, close %q, want %q", name, l.Matches, all, c.want)
		}
	}
}

// TestLearnNotes has what is said beside a match, and where nothing comes close.
func TestLearnNotes(t *testing.T) {
	sig := hex.EncodeToString(mac256("k", "{}"))
	for name, c := range map[string]struct {
		header http.Header
		want   string
	}{
		"time not covered": {headers("X-S", sig, "X-Sent", "1700000000"), "the time in X-Sent is not covered"},
		"time in an entry": {headers("X-S", "t=1700000000,v1="+sig), "the time in t of X-S is not covered"},
		"another secret":   {headers("X-S", strings.Repeat("ab", 32)), "looks like signatures stands in X-S"},
		"nothing":          {headers("Accept", "x"), "nothing that looks like a signature"},
	} {
		l := Learn(Request{Header: c.header, Body: []byte("{}")}, []Secret{NewSecret("k")})
		if !strings.Contains(strings.Join(l.Notes, "\n"), c.want) {
			t.Errorf("%s: %q, want %q", name, l.Notes, c.want)
		}
	}
	l := Learn(Request{Header: headers("X-Hub-Signature-256", "sha256="+sig), Body: []byte("other")}, []Secret{NewSecret("k")})
	if len(l.Addressed) != 1 || l.Addressed[0].Definition != "github" || !strings.Contains(l.Addressed[0].Why, "does not match") {
		t.Errorf("meant for GitHub: %+v", l.Addressed)
	}
	l = Learn(Request{Header: headers("Plaid-Verification", publishedJWT), Body: []byte(plaidBody)}, []Secret{NewSecret("id:s")})
	if len(l.Addressed) != 1 || l.Addressed[0].Definition != "plaid" || len(l.Close) != 1 || l.Close[0].Content != "request_body_sha256" {
		t.Errorf("meant for Plaid: %+v", l)
	}
	l = Learn(Request{Header: headers("X-S", strings.Repeat("ab", 32)), Body: []byte("{}")}, []Secret{NewSecret("CANARY")})
	if strings.Contains(fmt.Sprintf("%+v", l), "CANARY") {
		t.Errorf("a secret shows: %+v", l)
	}
}
