package providers

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzVerify: what passes is signed, by a computation of its own; what Sign
// signs passes; nothing panics; every failure has a reason.
func FuzzVerify(f *testing.F) {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	standard := define(f, "scheme: standard-webhooks")
	stripe := define(f, stripeSignature)
	github := define(f, githubSignature)
	basic := define(f, "scheme: token\nheader: X-S\npath: true")
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		f.Fatal(err)
	}
	for _, sig := range []string{
		"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "v1,", "v1", "", " ", "v1a,AAAA", "v2,x v1,g0hM9SsE-OTPJTGt_tmIKtSyZlE3uFJELVlNIOLJ1OE",
		"t=1614265330,v1=" + strings.Repeat("0", 64), "t=1614265330,v1=", "t=,v1=,v1", ",,=,=,", "sha256=" + strings.Repeat("a", 64), "sha256=", secret,
		strings.Repeat("v1, ", 20), "t=1614265330,t=1614265330,v1=00", "v1,é\xff",
	} {
		f.Add(sig, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	}
	f.Add("v1,AAAA", "a.b", "+1", []byte(""))
	f.Add("v1,AAAA", "", "99999999999999999999", []byte("\x00"))

	mac := func(key []byte, parts ...string) []byte {
		m := hmac.New(sha256.New, key)
		for _, p := range parts {
			m.Write([]byte(p))
		}
		return m.Sum(nil)
	}
	// contains looks for the sum in the text, in any spelling of hex and base64.
	contains := func(text string, sum []byte) bool {
		plain := strings.NewReplacer("-", "+", "_", "/").Replace(text)
		return strings.Contains(strings.ToLower(text), hex.EncodeToString(sum)) || strings.Contains(plain, base64.RawStdEncoding.EncodeToString(sum))
	}
	now := time.Unix(1614265330, 0)
	f.Fuzz(func(t *testing.T, sig, id, timestamp string, body []byte) {
		header := headers("Webhook-Id", id, "Webhook-Timestamp", timestamp, "Webhook-Signature", sig, "Stripe-Signature", sig, "X-Hub-Signature-256", sig, "X-S", sig)
		for _, d := range []*Definition{standard, stripe, github, basic} {
			v := verifier(t, d, secret)
			r := Request{Header: header, Body: body}
			_, err := v.Verify(r, now)
			if err != nil {
				if ReasonOf(err) == "other" {
					t.Fatalf("no reason in %v", err)
				}
				if text := err.Error() + v.Explain(r, err); strings.Contains(text, secret) {
					t.Fatalf("the secret is in %s", text)
				}
			}
			passed := err == nil || errors.Is(err, ErrOutsideWindow)
			signed := false
			switch d {
			case standard:
				signed = contains(sig, mac(key, id, ".", timestamp, ".", string(body)))
			case stripe:
				for _, entry := range strings.Split(sig, ",") {
					at, ok := strings.CutPrefix(strings.Trim(entry, " \t"), "t=")
					signed = signed || ok && contains(sig, mac([]byte(secret), at, ".", string(body)))
				}
			case github:
				signed = contains(sig, mac([]byte(secret), string(body)))
			default:
				signed = sig == secret
			}
			if passed && !signed {
				t.Fatalf("%s lets %q through", d.Scheme(), sig)
			}
			if own, err := d.Sign(NewSecret(secret), id, now, body); err == nil {
				if _, err := v.Verify(Request{Header: own, Body: body}, now); err != nil && len(id) <= maxHeader {
					t.Fatalf("%s refuses what it signed for the id %q: %v", d.Scheme(), id, err)
				}
			}
		}
	})
}

// FuzzMap: a body is placed, or there is a reason why not; what is read is what
// another JSON parser reads; nothing panics, and nothing depends on what came before.
func FuzzMap(f *testing.F) {
	for _, s := range scannerSeeds() {
		f.Add([]byte(s), "msg_1")
	}
	f.Add([]byte(`{"id":9007199254740993,"event_type":"sync.failed","timestamp":1773480413589,"connection_id":123456789012345678901234567890,"data":{"error":{"code":429}}}`), "")
	f.Add([]byte(`{"type":"sync.completed","timestamp":"2026-03-14T09:26:53+14:00","data":{"connection":{"id":"a*b>\u0000\r\n"},"status":"ok"}}`), "a\xff")
	f.Add([]byte(`{"event_type":"x","connection_id":"y","timestamp":"0001-01-01T00:00:00Z"}`), "\n")
	f.Add([]byte(`{"event_type":"x","connection_id":"y","timestamp":253402300800000}`), "")
	var mappers []*Mapper
	for _, name := range Builtin() {
		d, err := Load(name)
		if err != nil {
			f.Fatal(err)
		}
		mappers = append(mappers, d.NewMapper())
	}
	mappers = append(mappers, mapped(f, `
id: 'body.id + ""'
type: 'string(body.event_type)'
connection: 'has(body.data) ? body.data.connection_id : body.connection_id'
data: body.data
rules:
  - {name: a, when: 'data.exists(k, k == "a") || size(body) > 3', set: {sync: failed}, reason: 'string(data)'}
`).NewMapper())
	f.Fuzz(func(t *testing.T, body []byte, id string) {
		header := func(string) string { return id }
		for _, m := range mappers {
			o, err := m.Map(body, header)
			again, errAgain := m.def.NewMapper().Map(bytes.Clone(body), header)
			if o != again || (err == nil) != (errAgain == nil) || err != nil && err.Error() != errAgain.Error() {
				t.Fatalf("%+v, %v and then %+v, %v", o, err, again, errAgain)
			}
			var u *Unplaceable
			if err != nil {
				if !errors.As(err, &u) || u.Code == "" || len(u.Detail) > maxUnplaceableDetail || !utf8.ValidString(u.Detail) {
					t.Fatalf("%v", err)
				}
			}
			valid := jsontext.Value(bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF"))).IsValid()
			if valid == (u != nil && u.Code == CodeNotJSON) {
				t.Fatalf("valid %v, and %v", valid, err)
			}
			if err == nil {
				checkObservation(t, o)
			}
			if err == nil && m.def.name == "makini" {
				checkConnection(t, body, o)
			}
		}
	})
}

func checkObservation(t *testing.T, o Observation) {
	t.Helper()
	if o.Connection == "" || len(o.Connection) > MaxID || o.Type == "" || len(o.Type) > MaxType || len(o.DeliveryID) > MaxID {
		t.Fatalf("limits: %+v", o)
	}
	for _, s := range []string{o.Connection, o.Type, o.DeliveryID, o.Detail.Reason, o.Detail.Code, o.Detail.Message, o.Detail.RequestID} {
		if !utf8.ValidString(s) || len(s) > MaxDetail {
			t.Fatalf("%q in %+v", s, o)
		}
	}
	if y := o.OccurredAt.Year(); y < 1 || y > 9999 || o.OccurredAt.Location() != time.UTC {
		t.Fatalf("time %v", o.OccurredAt)
	}
}

// checkConnection reads makini's connection with encoding/json.
func checkConnection(t *testing.T, body []byte, o Observation) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF"))))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"connection_id", "connectionId"} {
		text := ""
		switch v := doc[name].(type) {
		case string:
			text = v
		case json.Number:
			text = v.String()
		}
		if text != "" {
			if text != o.Connection {
				t.Fatalf("connection %q, want %q", o.Connection, text)
			}
			return
		}
	}
	t.Fatalf("connection %q out of nothing", o.Connection)
}
