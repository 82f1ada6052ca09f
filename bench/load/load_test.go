package load

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/bench/webhook"
)

func requests(t *testing.T, n int, addr string) *webhook.Requests {
	t.Helper()
	r, err := webhook.Corpus{Seed: 1, Connections: 10, Size: 600, From: time.Unix(1_700_000_000, 0)}.Build(n, addr)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// serve answers every webhook with what answer makes of its number, from 1.
func serve(t *testing.T, answer func(w http.ResponseWriter, n int64)) (addr string, seen *atomic.Int64) {
	t.Helper()
	seen = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err != nil || len(body) != 600 || r.URL.Path != webhook.Path {
			t.Errorf("got %s with %d B: %v", r.URL.Path, len(body), err)
		}
		answer(w, seen.Add(1))
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), seen
}

func ok(w http.ResponseWriter, n int64) { fmt.Fprintf(w, `{"id":"%d"}`, n) }

func TestAllSendsEveryRequestOnce(t *testing.T) {
	addr, seen := serve(t, ok)
	result, err := Load{Addr: addr, Senders: 16, Requests: requests(t, 2000, addr), All: true}.Run()
	if err != nil {
		t.Fatal(err)
	}
	if seen.Load() != 2000 || result.Total != 2000 || result.Acknowledged != 2000 || result.Latency.Count != 2000 {
		t.Errorf("server saw %d, result %+v; want 2000 of each", seen.Load(), result)
	}
	if result.PerSecond <= 0 || result.Latency.P50 <= 0 || result.Latency.Max < result.Latency.P50 {
		t.Errorf("result %+v", result)
	}
	if len(result.Answers) == 0 || result.Answers[0] != `{"id":"1"}` {
		t.Errorf("kept answers %q", result.Answers)
	}
}

func TestOnlyA200IsAcknowledged(t *testing.T) {
	addr, _ := serve(t, func(w http.ResponseWriter, n int64) {
		if n%4 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		ok(w, n)
	})
	result, err := Load{Addr: addr, Senders: 4, Requests: requests(t, 400, addr), All: true}.Run()
	if err != nil {
		t.Fatal(err)
	}
	if result.Acknowledged != 300 || result.Refused[503] != 100 {
		t.Errorf("acknowledged %d, refused %v; want 300 and 100 times 503", result.Acknowledged, result.Refused)
	}
}

func TestWhatComesBeforeTheClockIsNotCounted(t *testing.T) {
	addr, seen := serve(t, ok)
	result, err := Load{Addr: addr, Senders: 2, Requests: requests(t, 50, addr), Again: true, Warm: 100 * time.Millisecond, For: 200 * time.Millisecond}.Run()
	if err != nil {
		t.Fatal(err)
	}
	if result.Total != int(seen.Load()) || result.Acknowledged == 0 || result.Acknowledged >= result.Total {
		t.Errorf("acknowledged %d of %d, server saw %d", result.Acknowledged, result.Total, seen.Load())
	}
	if result.Seconds < 0.1 || result.Seconds > 0.2 {
		t.Errorf("counted %v s, want at most the 0.2 s asked for", result.Seconds)
	}
}

func TestAnOpenLoopKeepsItsRateAndHidesNoDelay(t *testing.T) {
	slow := make(chan struct{})
	addr, _ := serve(t, func(w http.ResponseWriter, n int64) {
		if n == 50 { // one sender's webhook hangs while the others are due
			<-slow
		}
		ok(w, n)
	})
	time.AfterFunc(300*time.Millisecond, func() { close(slow) })
	result, err := Load{Addr: addr, Senders: 1, Rate: 500, Requests: requests(t, 250, addr), All: true}.Run()
	if err != nil {
		t.Fatal(err)
	}
	if result.PerSecond > 520 {
		t.Errorf("%.0f a second, want no more than the 500 asked for", result.PerSecond)
	}
	// With one sender every webhook due in those 300 ms waits: far more than one is late.
	if result.Latency.P90 < 50*time.Millisecond {
		t.Errorf("p90 %v: the webhooks that waited for the stuck one were timed from when they were sent", result.Latency.P90)
	}
}

func TestAServerThatCloses(t *testing.T) {
	addr, _ := serve(t, func(w http.ResponseWriter, n int64) {
		w.Header().Set("Connection", "close")
		ok(w, n)
	})
	if _, err := (Load{Addr: addr, Senders: 1, Requests: requests(t, 5, addr), All: true}).Run(); err == nil {
		t.Error("a closed connection was not reported")
	}
}

func TestConnDoesOneAfterTheOther(t *testing.T) {
	addr, _ := serve(t, ok)
	conn, err := Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	rs := requests(t, 3, addr)
	for i := range 3 {
		status, body, took, err := conn.Do(rs.At(i))
		if err != nil || status != 200 || string(body) != fmt.Sprintf(`{"id":"%d"}`, i+1) || took <= 0 {
			t.Errorf("answer %d: %d %q in %v, %v", i, status, body, took, err)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		in     string
		status int
		body   string
		whole  bool
		bad    bool
	}{
		{in: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", status: 200, body: "ok", whole: true},
		{in: "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", status: 503, whole: true},
		{in: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", status: 200, body: "ok"},
		{in: "HTTP/1.1 200 OK\r\nContent-Le"},
		{in: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nok", bad: true},
		{in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", bad: true},
		{in: "SSH-2.0-OpenSSH\r\n\r\n", bad: true},
	} {
		status, body, whole, err := parse([]byte(c.in))
		if (err != nil) != c.bad {
			t.Errorf("parse(%q): error %v", c.in, err)
		}
		if err == nil && (status != c.status || string(body) != c.body || whole != c.whole) {
			t.Errorf("parse(%q) = %d %q %v", c.in, status, body, whole)
		}
	}
}
