package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/internal/keys"
)

func TestAccess(t *testing.T) {
	path := t.TempDir() + "/keys.yaml"
	key, err := keys.Create(path, "reader", keys.Read, day, strings.NewReader(strings.Repeat("k", 64)))
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(o *Options) {
		ring, err := keys.Open(path, o.Now, o.Logger)
		if err != nil {
			t.Fatal(err)
		}
		o.Access = func(next http.Handler) http.Handler { return keys.Require(ring, keys.Read, next) }
	})
	r.add(r.event(0, webhook("1", "sync.started", "", "c", "")))
	for _, path := range []string{"/livez", "/readyz"} {
		if res, b := r.send("GET", path); res.StatusCode != 200 {
			t.Errorf("GET %s without a key: %d %s", path, res.StatusCode, b)
		}
	}
	for _, path := range []string{"/v1/connections", "/v1/connections/makini/c", "/v1/connections/makini/c/events", "/v1/quarantine", "/v1/stats", "/metrics", "/openapi.json", "/docs"} {
		res, b := r.send("GET", path)
		if res.StatusCode != 401 || !strings.Contains(b, `"code":"unauthorized"`) || res.Header.Get("X-Request-Id") == "" {
			t.Errorf("GET %s without a key: %d %s", path, res.StatusCode, b)
		}
		if res, b := r.send("GET", path, "Authorization: Bearer "+key); res.StatusCode != 200 {
			t.Errorf("GET %s with a key: %d %s", path, res.StatusCode, b)
		}
	}
	if res, _ := r.send("GET", "/v1/nothing"); res.StatusCode != 401 {
		t.Errorf("an unknown path without a key: %d", res.StatusCode)
	}
}

func TestOnlyLocal(t *testing.T) {
	r := newRig(t, func(o *Options) { o.OnlyLocal = true })
	for _, host := range []string{"127.0.0.1", "127.0.0.1:8080", "localhost:1", "LOCALHOST", "[::1]:8080", "[::1]", "127.8.8.8"} {
		if res, b := r.send("GET", "/v1/stats", "Host: "+host); res.StatusCode != 200 {
			t.Errorf("Host %s: %d %s", host, res.StatusCode, b)
		}
	}
	for _, host := range []string{"evil.example", "localhost.evil.example:8080", "10.0.0.1", "0.0.0.0", "127.0.0.1.evil.example", ""} {
		problemAt(t, r, "GET", "/v1/stats", 421, CodeMisdirected, "Host: "+host)
	}
}

func TestReady(t *testing.T) {
	var acceptance error
	var warning string
	r := newRig(t, func(o *Options) {
		o.Ready = func(context.Context) []Component {
			return []Component{{Name: "acceptance", Err: acceptance, Warning: warning}, {Name: "projection"}}
		}
	})
	if h := get200[Health](r, "/readyz"); h.Status != "ok" || h.Checks["acceptance"] != "ok" || h.Checks["projection"] != "ok" {
		t.Errorf("ready: %+v", h)
	}
	warning = "look\nhere"
	if h := get200[Health](r, "/readyz"); h.Status != "ok" || h.Checks["acceptance"] != "warning: look here" || h.Checks["projection"] != "ok" {
		t.Errorf("ready with a warning: %+v", h)
	}
	acceptance = fmt.Errorf("append to nats://user:pa@ss/word@host:4222\n: %w%s", eventstore.ErrDiskLow, strings.Repeat(".", 9999))
	p, res := problemAt(t, r, "GET", "/readyz", 503, CodeNotReady)
	if !strings.Contains(p.Checks["acceptance"], "disk space is below the low-water mark") || p.Checks["projection"] != "ok" || !strings.Contains(p.Detail, "acceptance: ") {
		t.Errorf("not ready: %+v", p)
	}
	if res.Header.Get("Retry-After") == "" || len(p.Detail) > 500 || strings.Contains(p.Detail, "\n") || strings.Contains(p.Detail, "user") {
		t.Errorf("not ready: %+v", p)
	}
	if h := get200[Health](r, "/livez"); h.Status != "ok" {
		t.Errorf("alive: %+v", h)
	}
	if got := r.logged.String(); got != "" {
		t.Errorf("every probe is logged: %s", got)
	}
}

func TestAPanicIsAnswered(t *testing.T) {
	r := newRig(t, func(o *Options) {
		o.Ready = func(context.Context) []Component { panic(errors.New("secret")) }
	})
	p, _ := problemAt(t, r, "GET", "/readyz", 500, CodeInternal)
	if p.Detail != "internal error" || !strings.Contains(r.logged.String(), "secret") || !strings.Contains(r.logged.String(), p.RequestID) {
		t.Errorf("answer %+v, log %s", p, r.logged)
	}
	if res, _ := r.send("GET", "/livez"); res.StatusCode != 200 {
		t.Errorf("after it: %d", res.StatusCode)
	}
}

// unwritable is the connection of a client that is gone.
type unwritable struct{ header http.Header }

func (u unwritable) Header() http.Header     { return u.header }
func (unwritable) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }
func (unwritable) WriteHeader(int)           {}

func TestAClientThatGoesAwayIsNoError(t *testing.T) {
	r := newRig(t)
	r.add(r.event(0, webhook("1", "sync.started", "", "c", "")))
	e := r.event(1, "x")
	r.add(e)
	for _, path := range []string{"/v1/connections", "/v1/nothing", "/v1/connections?x=1", "/v1/events/" + e.ID.String() + "/raw", "/docs", "/openapi.json"} {
		func() {
			defer func() {
				f := recover()
				if err, _ := f.(error); f != nil && !errors.Is(err, http.ErrAbortHandler) {
					t.Errorf("GET %s: panic %v", path, f)
				}
			}()
			r.ServeHTTP(unwritable{http.Header{}}, httptest.NewRequest("GET", path, nil))
		}()
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	rec := httptest.NewRecorder()
	r.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, "GET", "/v1/stats", nil))
	if rec.Code != statusClientGone {
		t.Errorf("a request that was given up: %d", rec.Code)
	}
	if got := r.logged.String(); got != "" {
		t.Errorf("logged: %s", got)
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/livez", "/v1/connections", "/v1/nothing", "/v1/connections?x=1", "/docs", "/openapi.json", "/metrics"} {
		res, _ := r.send("GET", path)
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin",
			"Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("GET %s: %s is %q, want %q", path, name, got, want)
			}
		}
		if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("GET %s: policy %q", path, csp)
		}
		if res.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("GET %s: other sites may read it", path)
		}
	}
}

func TestRequestID(t *testing.T) {
	r := newRig(t)
	ours := regexp.MustCompile(`^[A-Z2-7]{26}$`)
	seen := map[string]bool{}
	for given, kept := range map[string]bool{"abc-1_2.3": true, strings.Repeat("a", 64): true, strings.Repeat("a", 65): false, "a b": false, "ä": false, "a\"": false} {
		res, _ := r.send("GET", "/livez", "X-Request-Id: "+given)
		got := res.Header.Get("X-Request-Id")
		if kept != (got == given) || !kept && !ours.MatchString(got) || seen[got] {
			t.Errorf("X-Request-Id %q becomes %q", given, got)
		}
		seen[got] = true
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	var mu sync.Mutex
	clock := day
	r := newRig(t, func(o *Options) {
		o.Registerer, o.Gatherer = reg, reg
		o.Now = func() time.Time { // every request takes 0.6 ms
			mu.Lock()
			defer mu.Unlock()
			clock = clock.Add(600 * time.Microsecond)
			return clock
		}
	})
	r.add(r.event(0, webhook("1", "sync.started", "", "secret_id", "")))
	for _, path := range []string{"/v1/connections/makini/secret_id", "/v1/connections/makini/%2F", "/secret/path"} {
		r.send("GET", path)
	}
	res, b := r.send("GET", "/metrics")
	if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("%d %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	const state = `route="/v1/connections/{source}/{connection}",status="200"`
	for _, want := range []string{
		`tidemark_api_request_seconds_bucket{` + state + `,le="0.0005"} 0`,
		`tidemark_api_request_seconds_bucket{` + state + `,le="0.00075"} 1`,
		`tidemark_api_request_seconds_count{route="/v1/connections/{source}/{connection}",status="404"} 1`,
		`tidemark_api_request_seconds_count{route="unknown",status="404"} 1`,
	} {
		if !strings.Contains(b, want) {
			t.Errorf("no %s in\n%s", want, b)
		}
	}
	if strings.Contains(b, "secret") {
		t.Error("a path from outside is a label")
	}
}

func TestReadersWhileEventsArrive(t *testing.T) {
	r := newRig(t)
	r.add(r.event(0, webhook("0", "sync.failed", "", "c", "")))
	const writes = 60
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			last := uint64(0)
			for {
				s := get200[State](r, "/v1/connections/makini/c")
				if s.Counts.Events < last || s.Sync.ConsecutiveFailures != s.Counts.Events {
					t.Errorf("state of two moments: %+v after %d events", s, last)
				}
				last = s.Counts.Events
				if page := get200[Page[Entry]](r, "/v1/connections/makini/c/events?limit=500"); uint64(len(page.Items)) < last {
					t.Errorf("the timeline has %d events and the state had %d", len(page.Items), last)
				}
				if st := get200[Stats](r, "/v1/stats"); st.Checkpoint > st.Head || st.Connections.Total != 1 {
					t.Errorf("counts %+v", st)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range writes {
		r.add(r.event(time.Duration(i)*time.Second, webhook(fmt.Sprint(i+1), "sync.failed", "", "c", "")))
	}
	close(done)
	readers.Wait()
	if s := get200[State](r, "/v1/connections/makini/c"); s.Counts.Events != writes+1 {
		t.Errorf("%d events at the end, want %d", s.Counts.Events, writes+1)
	}
}
