package api

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestQueryIsChecked(t *testing.T) {
	h := New(Options{})
	list, events := h.huma.OpenAPI().Paths["/v1/connections"].Get, h.huma.OpenAPI().Paths["/v1/connections/{source}/{connection}/events"].Get
	state := h.huma.OpenAPI().Paths["/v1/connections/{source}/{connection}"].Get
	for _, c := range []struct {
		op    string
		query string
		code  string
		words string // of the detail
	}{
		{"list", "", "", ""},
		{"list", "source=makini&health=failing&health=offline&q=c&limit=1&cursor=x", "", ""},
		{"list", "limit=500", "", ""},
		{"list", "q=&source=&cursor=", "", ""},
		{"list", "helth=failing", CodeUnknownParameter, `Did you mean "health"?`},
		{"list", "zzzzzzzz=1", CodeUnknownParameter, "Known are source, health, q, limit, cursor"},
		{"list", "valid_at=2026-01-01T00:00:00Z&known_at=2026-01-01T00:00:00Z&format=csv", "", ""},
		{"list", "valid_at=yesterday", CodeInvalidParameter, "must be a time such as 2026-01-02T15:04:05Z"},
		{"list", "format=xml", CodeInvalidParameter, "must be one of json, csv, jsonl"},
		{"list", "Limit=5", CodeUnknownParameter, `"limit"`},
		{"list", "limit=0", CodeInvalidParameter, "from 1 to 500"},
		{"list", "limit=501", CodeInvalidParameter, "from 1 to 500"},
		{"list", "limit=-1", CodeInvalidParameter, "from 1 to 500"},
		{"list", "limit=5e1", CodeInvalidParameter, "from 1 to 500"},
		{"list", "limit=99999999999999999999", CodeInvalidParameter, "from 1 to 500"},
		{"list", "limit=", CodeInvalidParameter, "from 1 to 500"},
		{"list", "limit=1&limit=2", CodeInvalidParameter, "more than once"},
		{"list", "source=a&source=b", CodeInvalidParameter, "more than once"},
		{"list", "health=", CodeInvalidParameter, "empty"},
		{"list", "health=failling", CodeInvalidParameter, `Did you mean "failing"?`},
		{"list", "health=healthy,failing", CodeInvalidParameter, "must be one of disconnected, paused"},
		{"list", "limit=0&helth=x", CodeUnknownParameter, "health"},
		{"list", "q=%zz", CodeBadRequest, "query string"},
		{"list", "q=a;b", CodeBadRequest, "query string"},
		{"events", "order=asc&from=2026-01-01T00:00:00.5%2B02:00&to=2026-01-01T00:00:00Z&type=a&type=b", "", ""},
		{"events", "order=up", CodeInvalidParameter, "must be one of desc, asc"},
		{"events", "order=", CodeInvalidParameter, "must be one of"},
		{"events", "from=yesterday", CodeInvalidParameter, "must be a time"},
		{"events", "from=2026-01-01T00:00:00+02:00", CodeInvalidParameter, "%2B"},
		{"events", "from=", CodeInvalidParameter, "must be a time"},
		{"events", "type=&type=x", CodeInvalidParameter, "empty"},
		{"events", "corrections=yes", CodeInvalidParameter, "must be true or false"},
		{"state", "known_at=2026-01-01T00:00:00Z&valid_at=", CodeInvalidParameter, "must be a time"},
		{"state", "source=x", CodeUnknownParameter, "Known are valid_at, known_at"},
	} {
		op := list
		switch c.op {
		case "events":
			op = events
		case "state":
			op = state
		}
		p := checkQuery(op, c.query)
		if p == nil {
			if c.code != "" {
				t.Errorf("%s ?%s is let through", c.op, c.query)
			}
			continue
		}
		if p.Status != 400 || p.Code != c.code || !strings.Contains(p.Detail, c.words) {
			t.Errorf("%s ?%s: %d %s %q; want 400 %s %q", c.op, c.query, p.Status, p.Code, p.Detail, c.code, c.words)
		}
		if p.Code != CodeBadRequest && len(p.Errors) == 0 {
			t.Errorf("%s ?%s: errors names no parameter", c.op, c.query)
		}
	}
}

// FuzzQuery holds huma to what checkQuery lets through: it may find nothing
// more to refuse, because what it says would not be one of our problems.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{"limit=+5", "limit=%2B5", "limit=0x5", "limit=1_0", "health=failing&health=x", "order=asc", "from=2026-01-01T00:00:00Z",
		"from=2026-01-01t00:00:00z", "to=2026-01-01T00:00:00,5Z", "type=%00", "q=%ff", "limit=007", "limit=5&", "&&=&", "%6cimit=x", "limit", "order"} {
		f.Add(q)
	}
	h := newRig(f).Handler
	f.Fuzz(func(t *testing.T, query string) {
		for _, path := range []string{"/v1/connections", "/v1/connections/makini/none/events"} {
			req := httptest.NewRequest("GET", path, nil)
			req.URL.RawQuery = query
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, req)
			if rec.Code != 200 && rec.Code != 400 && rec.Code != 404 {
				t.Errorf("%s?%s: %d %s", path, query, rec.Code, rec.Body)
			}
			if rec.Code != 200 && !strings.Contains(rec.Body.String(), `"code":"`) {
				t.Errorf("%s?%s: %d without a code: %s", path, query, rec.Code, rec.Body)
			}
		}
	})
}

func TestNearest(t *testing.T) {
	known := []string{"source", "health", "q", "limit", "cursor"}
	for word, want := range map[string]string{
		"sorce": "source", "sources": "source", "heatlh": "health", "limits": "limit", "Limit": "limit", "cursr": "cursor",
		"": "q", "valid_at": "", "xxxxxxxxxx": "", strings.Repeat("limit", 100): "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("nearest(%.20q) = %q, want %q", word, got, want)
		}
	}
}
