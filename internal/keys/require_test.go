package keys

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

func TestRequire(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.yaml")
	read, admin := create(t, path, "reader", Read), create(t, path, "boss", Admin)
	ring, _ := open(t, path, (&clock{t: day}).now)
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k, ok := From(r.Context())
		if !ok {
			t.Error("the key is not in the context")
		}
		_, _ = w.Write([]byte(k.Name))
	})
	for _, c := range []struct {
		scope     Scope
		header    string
		status    int
		body      string
		challenge string
	}{
		{Read, "Bearer " + read, 200, "reader", ""},
		{Read, "Bearer " + admin, 200, "boss", ""},
		{Admin, "Bearer " + admin, 200, "boss", ""},
		{Admin, "Bearer " + read, 403, "forbidden", `error="insufficient_scope"`},
		{Read, "", 401, "unauthorized", `Bearer realm="tidemark"`},
		{Read, "Bearer nonsense", 401, "unauthorized", `error="invalid_token"`},
	} {
		req := httptest.NewRequest("GET", "/v1/stats", nil)
		req.Header.Set("Authorization", c.header)
		rec := httptest.NewRecorder()
		Require(ring, c.scope, next).ServeHTTP(rec, req)
		if rec.Code != c.status {
			t.Errorf("%s with %.12q: %d, want %d", c.scope, c.header, rec.Code, c.status)
		}
		if got := rec.Header().Get("WWW-Authenticate"); !strings.Contains(got, c.challenge) || c.challenge == "" && got != "" {
			t.Errorf("%s with %.12q: WWW-Authenticate %q, want %q", c.scope, c.header, got, c.challenge)
		}
		if c.status == 200 {
			if rec.Body.String() != c.body {
				t.Errorf("let in as %q, want %q", rec.Body, c.body)
			}
			continue
		}
		var problem struct {
			Status int
			Code   string
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &problem); err != nil || problem.Status != c.status || problem.Code != c.body {
			t.Errorf("problem %s (%v), want status %d and code %s", rec.Body, err, c.status, c.body)
		}
		if ct := rec.Header().Get("Content-Type"); ct != "application/problem+json" {
			t.Errorf("content type %q", ct)
		}
	}
}

func TestRequireWithoutRing(t *testing.T) {
	rec := httptest.NewRecorder()
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := From(r.Context()); ok {
			t.Error("a key out of nowhere")
		}
		w.WriteHeader(http.StatusNoContent)
	})
	Require(nil, Admin, next).ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	if rec.Code != http.StatusNoContent {
		t.Errorf("%d without keys, want the handler's answer", rec.Code)
	}
}
