package ingest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// canary is the secret of the tests: it must turn up nowhere.
const canary = "CANARY-secret-4b1d"

var instant = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// fakeLog is an Appender that keeps copies, and fails or waits when told to.
type fakeLog struct {
	mu     sync.Mutex
	events []eventstore.Event
	fail   error
	wait   chan struct{} // nil: waits for nobody
	inside sync.WaitGroup
}

func (l *fakeLog) Append(ctx context.Context, e eventstore.Event) (eventstore.Receipt, error) {
	l.mu.Lock()
	wait, fail := l.wait, l.fail
	l.mu.Unlock()
	if wait != nil {
		l.inside.Done()
		select {
		case <-wait:
		case <-ctx.Done():
			return eventstore.Receipt{}, ctx.Err()
		}
	}
	if fail != nil {
		return eventstore.Receipt{}, fail
	}
	if err := e.Validate(); err != nil {
		return eventstore.Receipt{}, err
	}
	e.Body, e.Headers = bytes.Clone(e.Body), slices.Clone(e.Headers)
	for i := range e.Headers {
		e.Headers[i].Name, e.Headers[i].Value = strings.Clone(e.Headers[i].Name), strings.Clone(e.Headers[i].Value)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
	return eventstore.Receipt{Position: eventstore.Position(len(l.events))}, nil
}

func (l *fakeLog) all() []eventstore.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

func (l *fakeLog) failWith(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = err
}

// hold makes Append wait until the returned function is called; n calls are expected.
func (l *fakeLog) hold(n int) (release func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := make(chan struct{})
	l.wait = c
	l.inside.Add(n)
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.wait = nil
		close(c)
	})
}

// syncBuffer is a buffer that a server may write to while a test reads it.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// rig is a Handler behind a real socket.
type rig struct {
	*testing.T
	h    *Handler
	log  *fakeLog
	out  *syncBuffer
	reg  *prometheus.Registry
	addr string
	seen syncBuffer // every answer, for the canary
}

type rigOptions struct {
	Options
	timeouts Timeouts
	listener func(net.Listener) net.Listener // around the socket; nil for none
	around   func(http.Handler) http.Handler // the handler; nil for nothing
	bound    [2]int                          // connections, connections per address; enough of each where it is zero
}

// sign proves a body the way verifyHMAC wants it.
func sign(body []byte) string {
	m := hmac.New(sha256.New, []byte(canary))
	m.Write(body)
	return hex.EncodeToString(m.Sum(nil))
}

// verifyHMAC is a scheme with a header X-Sig, or the secret as a token.
func verifyHMAC(r providers.Request, now time.Time) (string, error) {
	if r.Token != "" {
		if hmac.Equal([]byte(r.Token), []byte(canary)) {
			return "token", nil
		}
		return "", fmt.Errorf("%w: the token is another", providers.ErrBadSignature)
	}
	got := r.Header.Get("X-Sig")
	switch {
	case got == "":
		return "", providers.ErrNoSignature
	case len(got) != 64:
		return "", fmt.Errorf("%w: %d characters", providers.ErrMalformed, len(got))
	case !hmac.Equal([]byte(got), []byte(sign(r.Body))):
		return "", fmt.Errorf("%w: this secret looks like the base64 form", providers.ErrBadSignature)
	case r.Header.Get("X-Time") == "old":
		return "", fmt.Errorf("%w: 10m0s before %s", providers.ErrOutsideWindow, now)
	}
	return "hmac", nil
}

func newRig(t *testing.T, o rigOptions) *rig {
	t.Helper()
	r := &rig{T: t, log: &fakeLog{}, out: &syncBuffer{}, reg: prometheus.NewPedanticRegistry()}
	o.Log, o.Metrics = r.log, r.reg
	o.Logger = slog.New(slog.NewJSONHandler(r.out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if o.Now == nil {
		o.Now = func() time.Time { return instant }
	}
	if o.Sources == nil {
		o.Sources = []Source{
			{Name: "makini", Verify: verifyHMAC, Headers: []string{"webhook-id", "X-Kept"}, MaxBody: 1 << 20},
			{Name: "small", Verify: verifyHMAC, MaxBody: 1000},
		}
	}
	var err error
	if r.h, err = New(o.Options); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = l.Addr().String()
	if o.listener != nil {
		l = o.listener(l)
	}
	if o.bound[0] == 0 {
		o.bound = [2]int{10_000, 10_000}
	}
	c, err := NewConnections(o.bound[0], o.bound[1], r.reg)
	if err != nil {
		t.Fatal(err)
	}
	handler := http.Handler(r.h)
	if o.around != nil {
		handler = o.around(handler)
	}
	srv := NewServer(handler, o.timeouts, o.Logger)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(c.Listen(l)) }()
	t.Cleanup(func() {
		_ = srv.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve = %v", err)
		}
		// Every byte of a body is given back, once the handlers have seen that their connections are closed.
		waitFor(t, func() bool { return r.h.bodies.held.Load() == 0 })
		r.checkCanary()
	})
	return r
}

// checkCanary looks for the secret in everything that somebody else may see.
func (r *rig) checkCanary() {
	r.Helper()
	if strings.Contains(r.out.String(), canary) {
		r.Error("the secret is in the log")
	}
	if strings.Contains(r.seen.String(), canary) {
		r.Error("the secret is in an answer")
	}
	if strings.Contains(r.metrics(), canary) {
		r.Error("the secret is in a metric")
	}
}

func (r *rig) metrics() string {
	r.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.Fatal(err)
	}
	return fmt.Sprint(families)
}

// counted returns tidemark_ingest_requests_total by "source outcome".
func (r *rig) counted() map[string]int {
	r.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.Fatal(err)
	}
	out := map[string]int{}
	for _, f := range families {
		if f.GetName() != "tidemark_ingest_requests_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			l := map[string]string{}
			for _, p := range m.GetLabel() {
				l[p.GetName()] = p.GetValue()
			}
			if n := int(m.GetCounter().GetValue()); n > 0 {
				out[l["source"]+" "+l["outcome"]] = n
			}
		}
	}
	return out
}

type reply struct {
	status int
	header http.Header
	body   string
	close  bool
}

func (p reply) code() string {
	var v struct{ Code string }
	if err := json.Unmarshal([]byte(p.body), &v); err != nil {
		return "not JSON: " + p.body
	}
	return v.Code
}

func (r *rig) request(method, path string, body io.Reader, header ...string) reply {
	r.Helper()
	req, err := http.NewRequest(method, "http://"+r.addr+path, body)
	if err != nil {
		r.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header[header[i]] = append(req.Header[header[i]], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		r.Fatal(err)
	}
	return r.read(resp)
}

func (r *rig) read(resp *http.Response) reply {
	r.Helper()
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.Fatal(err)
	}
	fmt.Fprintln(&r.seen, resp.Status, resp.Header, string(b))
	return reply{resp.StatusCode, resp.Header, string(b), resp.Close}
}

// post sends a signed body.
func (r *rig) post(path string, body []byte, header ...string) reply {
	r.Helper()
	return r.request("POST", path, bytes.NewReader(body), append([]string{"X-Sig", sign(body)}, header...)...)
}

// accepted fails unless the reply is a 200 whose id is in the log, and returns that event.
func (r *rig) accepted(p reply) eventstore.Event {
	r.Helper()
	var v struct{ ID string }
	if err := json.Unmarshal([]byte(p.body), &v); err != nil || p.status != 200 {
		r.Fatalf("answer %d %s (%v), want 200 with an id", p.status, p.body, err)
	}
	if p.header.Get("Content-Type") != "application/json" {
		r.Errorf("content type %q", p.header.Get("Content-Type"))
	}
	id, err := ulid.ParseStrict(v.ID)
	if err != nil {
		r.Fatalf("id %q: %v", v.ID, err)
	}
	for _, e := range r.log.all() {
		if e.ID == id {
			return e
		}
	}
	r.Fatalf("id %s was acknowledged and is not in the log", id)
	return eventstore.Event{}
}
