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

// builtin loads a built-in definition.
func builtin(t testing.TB, name string) *Definition {
	t.Helper()
	d, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// read maps one fixture of a definition.
func read(t *testing.T, definition, fixture string) Observation {
	t.Helper()
	fixtures, err := BuiltinFixtures(definition)
	if err != nil {
		t.Fatal(err)
	}
	for i := range fixtures.List {
		if x := &fixtures.List[i]; x.Name == fixture {
			o, err := x.Map(builtin(t, definition).NewMapper())
			if err != nil {
				t.Fatal(err)
			}
			return o
		}
	}
	t.Fatalf("%s has no fixture %s", definition, fixture)
	return Observation{}
}

// The vectors of the definitions nango, merge and fivetran. None of the three
// publishes one: these are computed from their documented constructions with
// Python's hmac, over a body of Nango's unit tests, one of Merge's shape, and
// one that Fivetran sent. They prove that the definition agrees with the
// construction, not that the provider does.
var computedVectors = []struct {
	definition, secret, header, body string
	signatures                       []string // spellings that must all pass
}{
	{"nango", "test-secret-key", "X-Nango-Hmac-Sha256", nangoBody,
		[]string{"ce6f82d8555253066e19ba3525ebab872d906b9f4607481a889b991b29b17b3a"}},
	{"merge", "merge_test_key", "X-Merge-Webhook-Signature", mergeBody,
		[]string{"klIfAFWQbswyDIVsjgTDyGxrslyHQZKCYdhn5nK76hA=", "klIfAFWQbswyDIVsjgTDyGxrslyHQZKCYdhn5nK76hA"}},
	{"fivetran", "my_secret", "X-Fivetran-Signature-256", fiveBody,
		[]string{"33e5c2fd51ce004a1075a64b4821330aab16062a79022ee300109cd7a54cc638", "33E5C2FD51CE004A1075A64B4821330AAB16062A79022EE300109CD7A54CC638"}},
}

func TestComputedVectors(t *testing.T) {
	now := time.Unix(1773480413, 0)
	for _, vec := range computedVectors {
		d := builtin(t, vec.definition)
		right := verifier(t, d, "the next secret", vec.secret)
		wrong := verifier(t, d, "another secret")
		for _, signature := range vec.signatures {
			r := Request{Header: headers(vec.header, signature), Body: []byte(vec.body)}
			// None of the three signs a time: a delivery may come whenever it does.
			for _, at := range []time.Time{now, now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0)} {
				if verified, err := right.Verify(r, at); err != nil || verified != "hmac" {
					t.Errorf("%s: %s: %q, %v", vec.definition, signature, verified, err)
				}
			}
			if _, err := wrong.Verify(r, now); !errors.Is(err, ErrBadSignature) {
				t.Errorf("%s: another secret: %v", vec.definition, err)
			}
			r.Body = []byte(vec.body + "\n")
			if _, err := right.Verify(r, now); !errors.Is(err, ErrBadSignature) {
				t.Errorf("%s: another body: %v", vec.definition, err)
			}
		}
		if _, err := d.NewMapper().Map([]byte(vec.body), func(string) string { return "" }); err != nil {
			t.Errorf("%s: %v", vec.definition, err)
		}
	}
}

// Merge encodes with a library that pads, in an alphabet that some receivers' tools do not have.
func TestMergeAlphabets(t *testing.T) {
	v := verifier(t, builtin(t, "merge"), "key 14")
	body := []byte("{}")
	header, err := builtin(t, "merge").Sign(NewSecret("key 14"), "", time.Time{}, body)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(header.Get("X-Merge-Webhook-Signature"), "="))
	if err != nil || len(sum) != 32 {
		t.Fatalf("%v: %x, %v", header, sum, err)
	}
	for _, e := range []*base64.Encoding{base64.URLEncoding, base64.RawURLEncoding, base64.StdEncoding, base64.RawStdEncoding} {
		r := Request{Header: headers("X-Merge-Webhook-Signature", e.EncodeToString(sum)), Body: body}
		if _, err := v.Verify(r, time.Time{}); err != nil {
			t.Errorf("%s: %v", e.EncodeToString(sum), err)
		}
	}
	r := Request{Header: headers("X-Merge-Webhook-Signature", hex.EncodeToString(sum)), Body: body}
	if _, err := v.Verify(r, time.Time{}); err == nil {
		t.Error("in hex, it passes")
	}
}

// Nango's legacy signature is a plain SHA-256, which whoever has seen one can continue. It proves nothing (computed).
func TestNangoLegacySignature(t *testing.T) {
	v := verifier(t, builtin(t, "nango"), "test-secret-key")
	const legacy = "21c9fd89aafcbfa86755b8223d11f44353e4f734f97a375eb5a627efe4780675"
	r := Request{Header: headers("X-Nango-Signature", legacy), Body: []byte(nangoBody)}
	if _, err := v.Verify(r, time.Time{}); !errors.Is(err, ErrNoSignature) {
		t.Errorf("alone: %v", err)
	}
	r.Header = headers("X-Nango-Hmac-Sha256", legacy)
	if _, err := v.Verify(r, time.Time{}); !errors.Is(err, ErrBadSignature) {
		t.Errorf("in the place of the signature: %v", err)
	}
}

// Airbyte signs nothing: the token in the URL lets it in, and the event says so.
func TestAirbyteToken(t *testing.T) {
	d := builtin(t, "airbyte")
	if !d.TokenInPath() || d.Scheme() != "token" {
		t.Fatalf("scheme %s, token in the path %v", d.Scheme(), d.TokenInPath())
	}
	v := verifier(t, d, "0123456789abcdef0123456789abcdef")
	r := Request{Header: http.Header{}, Body: []byte("{}"), Token: "0123456789abcdef0123456789abcdef"}
	if verified, err := v.Verify(r, time.Time{}); err != nil || verified != "token" {
		t.Errorf("%q, %v", verified, err)
	}
	r.Token = "0123456789abcdef0123456789abcdeg"
	if _, err := v.Verify(r, time.Time{}); !errors.Is(err, ErrBadSignature) {
		t.Errorf("another token: %v", err)
	}
	r.Token = ""
	if _, err := v.Verify(r, time.Time{}); !errors.Is(err, ErrNoSignature) {
		t.Errorf("no token: %v", err)
	}
}

// A queued notification says success: false, and nothing failed, whatever part of it decides.
func TestAirbyteQueuedIsNoFailure(t *testing.T) {
	for _, name := range []string{"sync-queued", "sync-queued-title-alone", "sync-queued-data-alone", "sync-queued-no-times"} {
		if o := read(t, "airbyte", name); o.Sets != ([NumFacets]Value{}) {
			t.Errorf("%s sets %v", name, o.Sets)
		}
	}
	// One job is queued, then fails: two events.
	queued, failed := read(t, "airbyte", "sync-queued"), read(t, "airbyte", "sync-failure-golden-data")
	if queued.DeliveryID == failed.DeliveryID || failed.Sets[Sync] != SyncFailed {
		t.Errorf("%+v and %+v", queued, failed)
	}
}

// Words that an error message quotes decide neither the event nor its connection.
func TestAirbyteQuotedWords(t *testing.T) {
	const id = "64d901a1-2520-4d91-93c8-9df438668ff0"
	m := builtin(t, "airbyte").NewMapper()
	quote := func(message string) string {
		return `{"text":"Your connection from A to B was automatically disabled because it failed 20 times consecutively.\n\nThe most recent attempted ` +
			message + `\n\nWorkspace ID: b510e39b-e9e2-4833-9a3a-963e51d35fb4\nConnection ID: ` + id + `\n"}`
	}
	for _, message := range []string{
		`step 1 succeeded\nThis was for fun`, `x just failed...\nThis happened with y`, `Your sync for connection 'x' is queued and waiting`,
		`\nConnection ID: 1\n`, `https://h/connections/00000000-0000-0000-0000-000000000000`, `/connections/1`,
	} {
		o, err := m.Map([]byte(quote(message)), nil)
		if err != nil || o.Type != "sync_disabled" || o.Connection != id {
			t.Errorf("%s: %s of %s, %v", message, o.Type, o.Connection, err)
		}
	}
}

// Two integrations have a connection of the same id: two connections, told apart by the first slash.
func TestNangoConnections(t *testing.T) {
	m := builtin(t, "nango").NewMapper()
	seen := map[string]string{}
	for _, c := range [][2]string{{"hubspot", "user-7"}, {"salesforce", "user-7"}, {"a", "b/c"}, {"a:b", "c"}, {"a", "b:c"}} {
		body := `{"type":"auth","operation":"refresh","success":false,"providerConfigKey":"` + c[0] + `","connectionId":"` + c[1] + `"}`
		o, err := m.Map([]byte(body), func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		if other := seen[o.Connection]; other != "" {
			t.Errorf("%s is the connection of %s too", o.Connection, other)
		}
		seen[o.Connection] = body
	}
	if seen["hubspot/user-7"] == "" {
		t.Errorf("%v", seen)
	}
}

// What Nango passed on without knowing its origin is worded like a failed refresh, and must not ask anybody to log in again.
func TestNangoForwardedWords(t *testing.T) {
	if o := read(t, "nango", "forward-raw-worded-like-auth"); o.Sets != ([NumFacets]Value{}) {
		t.Errorf("%+v", o)
	}
	if o := read(t, "nango", "auth-refresh-failed"); o.Sets[Auth] != AuthRequired {
		t.Errorf("%+v", o)
	}
	if o := read(t, "nango", "auth-refresh-recovered"); o.Sets[Auth] != AuthOK || !o.OccurredAt.IsZero() || o.DeliveryID != "" {
		t.Errorf("%+v", o)
	}
}

// hook.id names Merge's subscription: no event has it for its id, and none has another.
func TestMergeHasNoDeliveryID(t *testing.T) {
	fixtures, err := BuiltinFixtures("merge")
	if err != nil {
		t.Fatal(err)
	}
	m := builtin(t, "merge").NewMapper()
	for i := range fixtures.List {
		if o, err := fixtures.List[i].Map(m); err == nil && o.DeliveryID != "" {
			t.Errorf("%s: %q", fixtures.List[i].Name, o.DeliveryID)
		}
	}
}

// A composed id is the same in a retry and in no other event, with parts left out or not.
func TestFivetranIDs(t *testing.T) {
	m := builtin(t, "fivetran").NewMapper()
	seen := map[string]string{}
	for _, parts := range []string{
		`"event":"sync_end","connector_id":"c1","sync_id":"s1","created":"2026-05-22T00:06:08.638Z"`,
		`"event":"sync_start","connector_id":"c1","sync_id":"s1","created":"2026-05-22T00:06:08.638Z"`,
		`"event":"sync_end","connector_id":"c2","sync_id":"s1","created":"2026-05-22T00:06:08.638Z"`,
		`"event":"sync_end","connector_id":"c1","sync_id":"s2","created":"2026-05-22T00:06:08.638Z"`,
		`"event":"sync_end","connector_id":"c1","sync_id":"s1","created":"2026-05-22T00:06:08.639Z"`,
		`"event":"sync_end","connector_id":"c1","sync_id":null,"created":"2026-05-22T00:06:08.638Z"`,
		`"event":"pause_connector","connector_id":"c1","created":"2026-05-22T00:06:08.638Z"`,
	} {
		for range 2 {
			o, err := m.Map([]byte("{"+parts+"}"), nil)
			if err != nil || o.DeliveryID == "" {
				t.Fatalf("%s: %+v, %v", parts, o, err)
			}
			if other := seen[o.DeliveryID]; other != "" && other != parts {
				t.Errorf("%s: the id %s is that of %s", parts, o.DeliveryID, other)
			}
			seen[o.DeliveryID] = parts
		}
	}
	o, err := m.Map([]byte(`{"event":"sync_end","connector_id":"c1","sync_id":"s1"}`), nil)
	if err != nil || o.DeliveryID != "" {
		t.Errorf("without a time there is no id: %+v, %v", o, err)
	}
}
