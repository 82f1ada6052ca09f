package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
)

func TestStored(t *testing.T) {
	r := newRig(t, rigOptions{})
	body := []byte("{\"id\":\"1\",\x00\xff not even JSON")
	e := r.accepted(r.post("/in/makini", body, "Content-Type", "application/json", "Webhook-Id", "msg_1", "X-Kept", "a", "X-Kept", "b", "X-Other", "no"))
	want := eventstore.Event{
		ID: e.ID, Source: "makini", ReceivedAt: instant, Verified: "hmac", Body: body,
		Headers: []eventstore.Header{{Name: "content-type", Value: "application/json"}, {Name: "webhook-id", Value: "msg_1"}, {Name: "X-Kept", Value: "a, b"}},
	}
	if !reflect.DeepEqual(e, want) {
		t.Errorf("stored %+v\nwant %+v", e, want)
	}
	if got := ulid.Time(e.ID.Time()); !got.Equal(instant.Truncate(time.Millisecond)) {
		t.Errorf("the id's time is %v", got)
	}
	// Duplicates are stored and acknowledged like any other: telling them apart is the projections' work.
	if again := r.accepted(r.post("/in/makini", body)); again.ID == e.ID {
		t.Error("two events have one id")
	}
	if e := r.accepted(r.request("POST", "/in/makini/"+canary, bytes.NewReader(body))); e.Verified != "token" {
		t.Errorf("verified by %q, want the token", e.Verified)
	}
	if e := r.accepted(r.request("POST", "/in/makini/CANARY%2Dsecret-4b1d", bytes.NewReader(body))); e.Verified != "token" {
		t.Errorf("verified by %q, want the percent-encoded token", e.Verified)
	}
	if e := r.accepted(r.post("/in/makini/", nil)); len(e.Body) != 0 || e.Verified != "hmac" {
		t.Errorf("an empty body is stored as %q, verified by %q", e.Body, e.Verified)
	}
	if got := r.counted(); !maps.Equal(got, map[string]int{"makini stored": 5}) {
		t.Errorf("counted %v", got)
	}
}

// TestTable is the contract's table: every answer, and what was stored of it.
func TestTable(t *testing.T) {
	body := []byte(`{"id":"1"}`)
	for _, c := range []struct {
		name   string
		do     func(r *rig) reply
		status int
		code   string
		count  string
		header [2]string
	}{
		{"no signature", func(r *rig) reply { return r.request("POST", "/in/makini", bytes.NewReader(body)) }, 401, "unauthorized", "makini no_signature", [2]string{}},
		{"malformed signature", func(r *rig) reply { return r.request("POST", "/in/makini", bytes.NewReader(body), "X-Sig", "v1,") }, 401, "unauthorized", "makini malformed_signature", [2]string{}},
		{"wrong signature", func(r *rig) reply { return r.post("/in/makini", body, "X-Sig", "x") }, 200, "", "makini stored", [2]string{}},
		{"signature of another body", func(r *rig) reply {
			return r.request("POST", "/in/makini", bytes.NewReader(body), "X-Sig", sign([]byte("other")))
		}, 401, "unauthorized", "makini bad_signature", [2]string{}},
		{"wrong token", func(r *rig) reply { return r.request("POST", "/in/makini/guess", bytes.NewReader(body)) }, 401, "unauthorized", "makini bad_signature", [2]string{}},
		{"outside the window", func(r *rig) reply { return r.post("/in/makini", body, "X-Time", "old") }, 401, "unauthorized", "makini outside_window", [2]string{}},
		{"no such source", func(r *rig) reply { return r.post("/in/nobody", body) }, 404, "unknown_source", "(unknown) unknown_source", [2]string{}},
		{"no source at all", func(r *rig) reply { return r.post("/in/", body) }, 404, "unknown_source", "(unknown) unknown_source", [2]string{}},
		{"the label of unknown sources", func(r *rig) reply { return r.post("/in/(unknown)", body) }, 404, "unknown_source", "(unknown) unknown_source", [2]string{}},
		{"case matters", func(r *rig) reply { return r.post("/in/Makini", body) }, 404, "unknown_source", "(unknown) unknown_source", [2]string{}},
		{"a path in the source", func(r *rig) reply { return r.post("/in/makini%2Fx", body) }, 404, "unknown_source", "(unknown) unknown_source", [2]string{}},
		{"GET", func(r *rig) reply { return r.request("GET", "/in/makini", nil) }, 405, "method_not_allowed", "makini not_post", [2]string{"Allow", "POST"}},
		{"PUT", func(r *rig) reply { return r.request("PUT", "/in/makini/"+canary, bytes.NewReader(body)) }, 405, "method_not_allowed", "makini not_post", [2]string{"Allow", "POST"}},
		{"one byte too large", func(r *rig) reply { return r.post("/in/small", make([]byte, 1001)) }, 413, "too_large", "small too_large", [2]string{"Connection", "close"}},
		{"exactly the limit", func(r *rig) reply { return r.post("/in/small", make([]byte, 1000)) }, 200, "", "small stored", [2]string{}},
		{"unknown encoding", func(r *rig) reply { return r.post("/in/makini", body, "Content-Encoding", "br") }, 415, "unknown_encoding", "makini unknown_encoding", [2]string{"Accept-Encoding", "gzip, zstd"}},
		{"too many headers", func(r *rig) reply {
			var h []string
			for i := range 200 {
				h = append(h, fmt.Sprintf("X-%d", i), "v")
			}
			return r.post("/in/makini", body, h...)
		}, 431, "too_many_headers", "makini too_many_headers", [2]string{}},
		{"log unavailable", func(r *rig) reply {
			r.log.failWith(fmt.Errorf("%w: no answer", eventstore.ErrUnavailable))
			return r.post("/in/makini", body)
		}, 503, "unavailable", "makini unavailable", [2]string{"Retry-After", "5"}},
		{"log busy", func(r *rig) reply { r.log.failWith(eventstore.ErrBusy); return r.post("/in/makini", body) }, 503, "busy", "makini busy", [2]string{"Retry-After", "2"}},
		{"disk low", func(r *rig) reply { r.log.failWith(eventstore.ErrDiskLow); return r.post("/in/makini", body) }, 503, "disk_low", "makini disk_low", [2]string{"Retry-After", "30"}},
		{"log closed", func(r *rig) reply { r.log.failWith(eventstore.ErrClosed); return r.post("/in/makini", body) }, 503, "shutting_down", "makini shutting_down", [2]string{"Retry-After", "5"}},
		{"trouble that nobody foresaw", func(r *rig) reply {
			r.log.failWith(errors.New("boom " + strings.Repeat("x", 9999)))
			return r.post("/in/makini", body)
		}, 503, "unavailable", "makini unavailable", [2]string{"Retry-After", "5"}},
		{"an event that we made wrong", func(r *rig) reply { r.log.failWith(eventstore.ErrInvalid); return r.post("/in/makini", body) }, 503, "unavailable", "makini unavailable", [2]string{"Retry-After", "5"}},
		{"too large for the log", func(r *rig) reply { r.log.failWith(eventstore.ErrTooLarge); return r.post("/in/makini", body) }, 413, "too_large", "makini too_large", [2]string{}},
		{"draining", func(r *rig) reply { r.h.Drain(); return r.post("/in/makini", body) }, 503, "shutting_down", "makini shutting_down", [2]string{"Retry-After", "5"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, rigOptions{})
			got := c.do(r)
			if got.status != c.status {
				t.Fatalf("%d %s, want %d", got.status, got.body, c.status)
			}
			if n := r.counted(); n[c.count] != 1 || len(n) != 1 {
				t.Errorf("counted %v, want one %q", n, c.count)
			}
			if k := c.header[0]; k == "Connection" {
				if !got.close {
					t.Error("the connection stays open")
				}
			} else if k != "" && got.header.Get(k) != c.header[1] {
				t.Errorf("%s: %q, want %q", k, got.header.Get(k), c.header[1])
			}
			if c.status == 200 {
				r.accepted(got)
				return
			}
			if got.code() != c.code || got.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("answer %s as %q, want code %q", got.body, got.header.Get("Content-Type"), c.code)
			}
			if n := len(r.log.all()); n != 0 {
				t.Errorf("%d events stored of a refused request", n)
			}
			if c.status == 401 && !strings.Contains(r.out.String(), strings.TrimPrefix(c.count, "makini ")) {
				t.Errorf("the log does not say why: %s", r.out)
			}
			if len(r.out.String()) > 1000 {
				t.Errorf("a log line of %d bytes", len(r.out.String()))
			}
		})
	}
}

// TestUnauthorizedIsOneAnswer: whatever the reason, the same bytes.
func TestUnauthorizedIsOneAnswer(t *testing.T) {
	r := newRig(t, rigOptions{})
	body := []byte("x")
	var first reply
	for i, h := range [][]string{{}, {"X-Sig", "v1,"}, {"X-Sig", sign([]byte("y"))}, {"X-Sig", sign(body), "X-Time", "old"}, {"X-Sig", strings.Repeat("a", 20000)}} {
		got := r.request("POST", "/in/makini", bytes.NewReader(body), h...)
		got.header.Del("Date")
		if i == 0 {
			first = got
			continue
		}
		if !reflect.DeepEqual(got, first) {
			t.Errorf("answer %+v differs from %+v", got, first)
		}
	}
	if first.status != 401 {
		t.Errorf("status %d", first.status)
	}
	if !strings.Contains(r.out.String(), "this secret looks like the base64 form") {
		t.Error("the log does not pass on what the verifier found out")
	}
}

// TestEveryOutcomeHasAnAnswer keeps the table whole.
func TestEveryOutcomeHasAnAnswer(t *testing.T) {
	labels := map[string]bool{}
	for out, a := range answers {
		if a.label == "" || a.status == 0 || labels[a.label] {
			t.Errorf("outcome %d has no row of its own: %+v", out, a)
		}
		labels[a.label] = true
		if a.status != 200 && (a.code == "" || a.detail == "") {
			t.Errorf("%s says nothing to the sender", a.label)
		}
		if (a.status == 503) != (a.retryAfter > 0) {
			t.Errorf("%s: status %d with Retry-After %d", a.label, a.status, a.retryAfter)
		}
	}
	// Trouble of ours is never 4xx.
	for _, err := range []error{eventstore.ErrUnavailable, eventstore.ErrBusy, eventstore.ErrClosed, eventstore.ErrDiskLow,
		eventstore.ErrIntegrity, eventstore.ErrInvalid, context.DeadlineExceeded, context.Canceled, errors.New("?")} {
		if a := answers[outcomeOf(fmt.Errorf("wrapped: %w", err))]; a.status != 503 {
			t.Errorf("%v is answered %d", err, a.status)
		}
	}
}

// TestNoAcknowledgementBeforeTheLog holds the log and looks for an answer.
func TestNoAcknowledgementBeforeTheLog(t *testing.T) {
	r := newRig(t, rigOptions{})
	release := r.log.hold(1)
	defer release()
	got := make(chan reply, 1)
	go func() { got <- r.post("/in/makini", []byte("x")) }()
	r.log.inside.Wait()
	select {
	case p := <-got:
		t.Fatalf("answered %d before the log had it", p.status)
	default:
	}
	release()
	r.accepted(<-got)
}

func TestLogThatHangs(t *testing.T) {
	r := newRig(t, rigOptions{Options: Options{StoreTimeout: 20 * time.Millisecond}})
	release := r.log.hold(1)
	defer release()
	if got := r.post("/in/makini", []byte("x")); got.status != 503 || got.code() != "unavailable" || got.header.Get("Retry-After") == "" {
		t.Errorf("%d %s, want 503", got.status, got.body)
	}
	if n := r.counted(); n["makini unavailable"] != 1 {
		t.Errorf("counted %v", n)
	}
}

// What came whole is stored, whether or not somebody waits for the answer, and whether or not net/http hears of it.
func TestSenderThatLeaves(t *testing.T) {
	for name, length := range map[string]int64{"known length": 1, "in chunks": -1} {
		t.Run(name, func(t *testing.T) {
			heard := make(chan (<-chan struct{}), 1)
			r := newRig(t, rigOptions{around: func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
					heard <- q.Context().Done()
					next.ServeHTTP(w, q)
				})
			}})
			release := r.log.hold(1)
			defer release()
			ctx, leave := context.WithCancel(t.Context())
			req, err := http.NewRequestWithContext(ctx, "POST", "http://"+r.addr+"/in/makini", strings.NewReader("x"))
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = length
			req.Header.Set("X-Sig", sign([]byte("x")))
			done := make(chan error, 1)
			go func() {
				_, err := http.DefaultTransport.RoundTrip(req)
				done <- err
			}()
			r.log.inside.Wait()
			leave()
			if err := <-done; err == nil {
				t.Fatal("an answer after the sender left")
			}
			if gone := <-heard; length < 0 {
				<-gone // net/http hears of it
			}
			release()
			waitFor(t, func() bool { return r.counted()["makini stored"] == 1 })
			if n := len(r.log.all()); n != 1 {
				t.Errorf("%d events are stored of a sender that left, want the one that it sent", n)
			}
		})
	}
}

// patience is how long anything may take on a busy machine: only what never comes uses it up.
const patience = 2 * time.Minute

// waitFor waits for a condition that another goroutine brings about.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.After(patience); !ok(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("the condition did not come about")
		}
	}
}

// TestDrainFinishesWhatIsUnderWay: requests that were accepted before get their 200.
func TestDrainFinishesWhatIsUnderWay(t *testing.T) {
	r := newRig(t, rigOptions{})
	release := r.log.hold(1)
	defer release()
	got := make(chan reply, 1)
	go func() { got <- r.post("/in/makini", []byte("first")) }()
	r.log.inside.Wait()
	r.h.Drain()
	if p := r.post("/in/makini", []byte("second")); p.status != 503 || p.code() != "shutting_down" {
		t.Errorf("after Drain: %d %s", p.status, p.body)
	}
	release()
	r.accepted(<-got)
}

func TestConcurrency(t *testing.T) {
	r := newRig(t, rigOptions{Options: Options{Now: time.Now}})
	const senders, each = 16, 15
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				body := bytes.Repeat(fmt.Appendf(nil, "%d/%d ", s, i), 1+i*70)
				h := []string{"Webhook-Id", fmt.Sprint(s, "-", i)}
				raw := body
				switch i % 3 {
				case 1:
					raw, h = zip(t, body), append(h, "Content-Encoding", "gzip")
				case 2:
					raw, h = zst(t, body, zstd.WithWindowSize(64<<10)), append(h, "Content-Encoding", "zstd")
				}
				e := r.accepted(r.post("/in/makini", raw, h...))
				if !bytes.Equal(e.Body, body) || e.Headers[0].Value != fmt.Sprint(s, "-", i) {
					t.Errorf("%d/%d: stored %.40q %v", s, i, e.Body, e.Headers)
				}
			}
		})
	}
	wg.Wait()
	ids := map[ulid.ULID]bool{}
	for _, e := range r.log.all() {
		ids[e.ID] = true
	}
	if len(ids) != senders*each {
		t.Errorf("%d ids of %d events", len(ids), senders*each)
	}
}

// TestLogIsBounded: a sender with a wrong secret says so a few times, not thousands.
func TestLogIsBounded(t *testing.T) {
	at := instant
	r := newRig(t, rigOptions{Options: Options{Now: func() time.Time { return at }}})
	h := r.h
	refused := func() {
		req := httptest.NewRequest("POST", "/in/makini", strings.NewReader("x"))
		h.ServeHTTP(httptest.NewRecorder(), req)
	}
	for range 1000 {
		refused()
	}
	if n := strings.Count(r.out.String(), "\n"); n != 10 {
		t.Errorf("%d lines for 1000 refusals at one instant, want 10", n)
	}
	at = at.Add(time.Second)
	refused()
	if !strings.Contains(r.out.String(), `"unsaid":990`) {
		t.Errorf("the log does not say how much it left out: %s", r.out)
	}
	if n := r.counted(); n["makini no_signature"] != 1001 {
		t.Errorf("counted %v", n)
	}
}

func TestNewRefuses(t *testing.T) {
	pass := func(providers.Request, time.Time) (string, error) { return "none", nil }
	ok := Source{Name: "a", Verify: pass, MaxBody: 1}
	for want, s := range map[string][]Source{
		"two of that name":  {ok, ok},
		"the name is not":   {{Name: "A b", Verify: pass, MaxBody: 1}},
		"no verifier":       {{Name: "a", MaxBody: 1}},
		"accepts no byte":   {{Name: "a", Verify: pass}},
		"no name of an":     {{Name: "a", Verify: pass, MaxBody: 1, Headers: []string{"a\r\nb"}}},
		"holds credentials": {{Name: "a", Verify: pass, MaxBody: 1, Headers: []string{"authorization"}}},
		"at most 64":        {{Name: "a", Verify: pass, MaxBody: 1, Headers: manyNames(65)}},
	} {
		_, err := New(Options{Sources: s, Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Now: time.Now})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, want %q", err, want)
		}
	}
	reg := prometheus.NewRegistry()
	for i := range 2 {
		_, err := New(Options{Sources: []Source{ok}, Logger: slog.New(slog.DiscardHandler), Metrics: reg, Now: time.Now})
		if (err != nil) != (i == 1) {
			t.Errorf("handler %d on one registry: %v", i+1, err)
		}
	}
}

func manyNames(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("x-%d", i))
	}
	return out
}

// TestClockOutOfRange: a clock that no ULID can hold is trouble of ours.
func TestClockOutOfRange(t *testing.T) {
	r := newRig(t, rigOptions{Options: Options{Now: func() time.Time { return time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC) }}})
	if got := r.post("/in/makini", []byte("x")); got.status != 503 {
		t.Errorf("%d with a clock in 1969", got.status)
	}
}
