package ingest

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
)

const redacting = `
name: redacting
signature: {scheme: none}
redact: [body.account_token, "body.users[*].email"]
mapping: {type: body.type, connection: body.connection, form_field: payload}
`

// redacted starts a server with a source that redacts and one that does not.
func redacted(t *testing.T) *rig {
	t.Helper()
	d, err := providers.Parse("redacting.yaml", []byte(redacting))
	if err != nil {
		t.Fatal(err)
	}
	return newRig(t, rigOptions{Options: Options{Sources: []Source{
		{Name: "secret", Verify: verifyHMAC, MaxBody: 100_000, Headers: []string{"tidemark-redacted", "x-kept"}, Redact: d.NewRedactor([]byte("key")).Redact},
		{Name: "plain", Verify: verifyHMAC, MaxBody: 100_000, Headers: []string{"Tidemark-Redacted"}},
	}}})
}

// mark is the value of the event's mark, "" for none.
func mark(e eventstore.Event) string {
	for i, h := range e.Headers {
		if h.Name == eventstore.RedactedHeader {
			if i != len(e.Headers)-1 || !e.Redacted() {
				return "misplaced"
			}
			return h.Value
		}
	}
	if e.Redacted() {
		return "false"
	}
	return ""
}

// TestRedacted: the signature is over what came, and what is stored holds hashes in the
// place of the fields, and says so; whatever the encoding, and the same at each delivery.
func TestRedacted(t *testing.T) {
	r := redacted(t)
	body := []byte(`{ "type":"t", "account_token" : "` + canary + `", "users":[{"email":"` + canary + `@x","n":1.50}] }`)
	first := r.accepted(r.post("/in/secret", body, "Content-Type", "application/json", "X-Kept", "k"))
	stored := string(first.Body)
	if strings.Contains(stored, canary) || mark(first) != "2" || first.Verified != "hmac" ||
		!strings.HasPrefix(stored, `{ "type":"t", "account_token" : "redacted:hmac-sha256:`) || !strings.HasSuffix(stored, `","n":1.50}] }`) {
		t.Errorf("stored %s, mark %q", stored, mark(first))
	}
	for name, e := range map[string]eventstore.Event{
		"again": r.accepted(r.post("/in/secret", body)),
		"gzip":  r.accepted(r.post("/in/secret", zip(t, body), "Content-Encoding", "gzip")),
		"zstd":  r.accepted(r.post("/in/secret", zst(t, body), "Content-Encoding", "zstd")),
	} {
		if !bytes.Equal(e.Body, first.Body) || mark(e) != "2" {
			t.Errorf("%s: stored %s, mark %q; want what the first delivery is", name, e.Body, mark(e))
		}
	}
	form := "a=1&payload=" + url.QueryEscape(string(body))
	e := r.accepted(r.post("/in/secret", []byte(form), "Content-Type", "application/x-www-form-urlencoded"))
	if bytes.Contains(e.Body, []byte(canary)) || mark(e) != "2" || !bytes.HasPrefix(e.Body, []byte("a=1&payload=%7B+%22type%22")) {
		t.Errorf("form: stored %s, mark %q", e.Body, mark(e))
	}

	for name, e := range map[string]eventstore.Event{
		"nothing to redact": r.accepted(r.post("/in/secret", []byte(`{"type":"t"}`), "Tidemark-Redacted", "7")),
		"no such fields":    r.accepted(r.post("/in/plain", []byte(`{"account_token":"a"}`), "Tidemark-Redacted", "7")),
	} {
		if mark(e) != "" || !strings.HasPrefix(string(e.Body), "{") || strings.Contains(string(e.Body), "redacted:") {
			t.Errorf("%s: stored %s, mark %q: a sender cannot set it", name, e.Body, mark(e))
		}
	}
}

// TestRedactedUnread: what no field can be found in is not stored in clear.
func TestRedactedUnread(t *testing.T) {
	r := redacted(t)
	cut := zip(t, []byte(`{"account_token":"`+canary+`"}`))
	many := `{"users":[` + strings.TrimSuffix(strings.Repeat(`{"email":"`+canary+`"},`, 2500), ",") + `]}`
	for name, e := range map[string]eventstore.Event{
		"not JSON":    r.accepted(r.post("/in/secret", []byte(`{"account_token":"`+canary))),
		"undecodable": r.accepted(r.post("/in/secret", cut[:len(cut)-4], "Content-Encoding", "gzip")),
		"not gzip":    r.accepted(r.post("/in/secret", []byte("account_token="+canary), "Content-Encoding", "gzip")),
		"empty":       r.accepted(r.post("/in/secret", nil)),
	} {
		if mark(e) != "body" || len(e.Body) != len("redacted:hmac-sha256:")+32 || bytes.Contains(e.Body, []byte(canary)) {
			t.Errorf("%s: stored %q, mark %q", name, e.Body, mark(e))
		}
	}
	// Hashes that are longer than what they replace do not make a body that is too large.
	if e := r.accepted(r.post("/in/secret", []byte(many))); mark(e) != "2500" || len(e.Body) <= len(many) {
		t.Errorf("%d bytes became %d, mark %q", len(many), len(e.Body), mark(e))
	}
	if e := r.accepted(r.post("/in/secret", []byte(`{"users":[`+strings.TrimSuffix(strings.Repeat(`{"email":1},`, 8000), ",")+`]}`))); mark(e) != "body" {
		t.Errorf("%d bytes were stored, mark %q", len(e.Body), mark(e))
	}
	if !slices.Contains(r.log.all()[0].Headers, eventstore.Header{Name: eventstore.RedactedHeader, Value: "body"}) {
		t.Error("the first event is not marked")
	}
}

// BenchmarkRedacting is BenchmarkHandler for a source that redacts one field.
func BenchmarkRedacting(b *testing.B) {
	d, err := providers.Parse("redacting.yaml", []byte(redacting))
	if err != nil {
		b.Fatal(err)
	}
	h, err := New(Options{
		Log: nowhere{}, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
		Sources: []Source{{Name: "makini", MaxBody: 1 << 20, Redact: d.NewRedactor([]byte("key")).Redact,
			Verify: func(providers.Request, time.Time) (string, error) { return "none", nil }}},
	})
	if err != nil {
		b.Fatal(err)
	}
	src := bytes.NewReader([]byte(`{"account_token":"secret","fill":"` + strings.Repeat("x", 560) + `"}`))
	r := httptest.NewRequest("POST", "/in/makini", nil)
	r.Header, r.ContentLength, r.Body = http.Header{"Content-Type": {"application/json"}}, src.Size(), io.NopCloser(src)
	w := discard{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := src.Seek(0, io.SeekStart); err != nil {
			b.Fatal(err)
		}
		h.ServeHTTP(w, r)
	}
}
