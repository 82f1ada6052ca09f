package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestASlowWatcherIsDropped(t *testing.T) {
	reg := prometheus.NewRegistry()
	r := watchRig(t, 2, func(o *Options) { o.Registerer = reg })
	s := openWatch(t, r.server.URL+"/v1/watch", "")
	if _, err := s.block(); err != nil {
		t.Fatal(err)
	}
	r.put("connection.online", "a", "b", "c", "d") // twice what the hub remembers
	b, err := s.block()
	var p Problem
	if err != nil || b.event != "error" || json.Unmarshal([]byte(b.data), &p) != nil || p.Code != CodeTooSlow || b.id != "" {
		t.Errorf("%+v %v", b, err)
	}
	if b, err := s.block(); !errors.Is(err, io.EOF) {
		t.Errorf("goes on with %+v %v", b, err)
	}
	// It comes back and has everything.
	back := openWatch(t, r.server.URL+"/v1/watch", s.last)
	for range 4 {
		back.state()
	}
	if n := testutil.ToFloat64(r.metrics.dropped); n != 1 {
		t.Errorf("%v dropped", n)
	}
	if got := r.logged.String(); got != "" {
		t.Errorf("logged: %s", got)
	}
}

// A client that stops reading holds up neither the projection nor a goroutine.
func TestAWatcherThatDoesNotRead(t *testing.T) {
	r := watchRig(t, 0)
	r.patience = 50 * time.Millisecond
	ended := make(chan struct{})
	url := narrow(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		defer close(ended)
		r.ServeHTTP(w, req)
	}))
	s := openWatch(t, url+"/v1/watch", "")
	defer s.close()
	var all []string
	for i := range 200 {
		all = append(all, fmt.Sprintf("%0200d", i))
	}
	for i := 0; ; i++ {
		select {
		case <-ended:
			if n := testutil.ToFloat64(r.metrics.watchers); n != 0 {
				t.Errorf("%v watchers", n)
			}
			return
		default:
		}
		if i == 1000 {
			t.Fatal("the handler waits for a client that does not read")
		}
		r.put("connection.online", all...)
	}
}

func TestWatchesEnd(t *testing.T) {
	r := watchRig(t, 0)
	r.watching.life = 20 * time.Millisecond
	s := openWatch(t, r.server.URL+"/v1/watch", "")
	for {
		if _, err := s.block(); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Errorf("a watch whose time is up: %v", err)
			}
			break
		}
	}
	r.watching.life = time.Hour
	s = openWatch(t, r.server.URL+"/v1/watch", "")
	r.Drain()
	for {
		if b, err := s.block(); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Errorf("a server that stops: %v", err)
			}
			break
		} else if b.event != "" {
			t.Errorf("%+v", b)
		}
	}
	problemAt(t, r, "GET", "/v1/watch", 503, CodeStopping)
	if got := r.logged.String(); got != "" {
		t.Errorf("logged: %s", got)
	}
}

// The server's own limit for an answer does not cut a watch off.
func TestAWatchOutlivesWriteTimeout(t *testing.T) {
	r := watchRig(t, 0)
	s := httptest.NewUnstartedServer(r.Handler)
	s.Config.WriteTimeout = 50 * time.Millisecond
	s.Start()
	t.Cleanup(s.Close)
	t.Cleanup(r.Drain)
	r.watching.keepAlive = 20 * time.Millisecond
	w := openWatch(t, s.URL+"/v1/watch", "")
	for range 10 { // 200 ms
		if _, err := w.block(); err != nil {
			t.Fatal(err)
		}
	}
	r.put("connection.online", "a")
	if v, _ := w.state(); v.Connection != "a" {
		t.Errorf("%+v", v)
	}
}
