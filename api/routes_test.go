package api

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func testRoutes() *routes {
	r := &routes{unknown: http.HandlerFunc(unknownPath)}
	for _, p := range []string{"GET /v1/connections", "GET /v1/connections/{source}/{connection}", "GET /v1/connections/{source}/{connection}/events", "POST /v1/rebuilds"} {
		r.HandleFunc(p, func(w http.ResponseWriter, r *http.Request) {})
	}
	return r
}

func TestRoutesTakePathsAsSent(t *testing.T) {
	r := testRoutes()
	const one, events = "/v1/connections/{source}/{connection}", "/v1/connections/{source}/{connection}/events"
	for _, c := range []struct{ path, pattern, connection string }{
		{"/v1/connections", "/v1/connections", ""},
		{"/v1/connections/makini/conn_42", one, "conn_42"},
		{"/v1/connections/makini/conn_42/events", events, "conn_42"},
		{"/v1/connections/makini/events", one, "events"},
		{"/v1/connections/makini/events/events", events, "events"},
		{"/v1/connections/makini/co%2Fnn%201", one, "co/nn 1"},
		{"/v1/connections/makini/%2F", one, "/"},
		{"/v1/connections/makini/%2F/events", events, "/"},
		{"/v1/connections/makini/..", one, ".."},
		{"/v1/connections/makini/%2e%2E", one, ".."},
		{"/v1/connections/makini/../events", events, ".."},
		{"/v1/connections/makini/.", one, "."},
		{"/v1/connections/makini/a%2F..%2Fb", one, "a/../b"},
		{"/v1/connections/makini/%252F", one, "%2F"},
		{"/v1/connections/makini/%00", one, "\x00"},
		{"/v1/connections/makini/a%0D%0Ab", one, "a\r\nb"},
		{"/v1/connections/makini/c*.%3E1", one, "c*.>1"},
		{"/v1/connections/makini/%C3%BC1", one, "ü1"},
		{"/v1/connections/makini/%FF", one, "\xff"},
		{"/v1/connections/makini/a+b", one, "a+b"},
		{"/v1/connections/makini/{connection}", one, "{connection}"},
		{"/v1/connections/makini/", "unknown", ""},
		{"/v1/connections//conn_42", "unknown", ""},
		{"/v1/connections/makini//events", "unknown", ""},
		{"/v1/connections/", "unknown", ""},
		{"//v1/connections", "unknown", ""},
		{"/v1/Connections", "unknown", ""},
		{"/", "unknown", ""},
	} {
		req := httptest.NewRequest("GET", c.path, nil)
		rt := r.find(req)
		if rt.pattern != c.pattern || req.PathValue("connection") != c.connection {
			t.Errorf("%s: route %s, connection %q; want %s, %q", c.path, rt.pattern, req.PathValue("connection"), c.pattern, c.connection)
		}
	}
}

func TestRoutesByMethod(t *testing.T) {
	r := testRoutes()
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/v1/connections", 200, ""},
		{"HEAD", "/v1/connections", 200, ""},
		{"POST", "/v1/connections", 405, "GET, HEAD"},
		{"OPTIONS", "/v1/connections/a/b", 405, "GET, HEAD"},
		{"GET", "/v1/rebuilds", 405, "POST"},
		{"POST", "/v1/rebuilds", 200, ""},
		{"POST", "/nowhere", 404, ""},
	} {
		rec := httptest.NewRecorder()
		r.ServeHTTP(rec, httptest.NewRequest(c.method, c.path, nil))
		if rec.Code != c.status || rec.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: %d, Allow %q; want %d, %q", c.method, c.path, rec.Code, rec.Header().Get("Allow"), c.status, c.allow)
		}
	}
}
