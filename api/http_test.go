package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/projections"
)

func TestAnyConnectionIDHasAPath(t *testing.T) {
	r := newRig(t)
	ids := []string{
		"co/nn 1", "c*.>1", "ü1", "/", "//", ".", "..", "../..", "a/../b", "/etc/passwd", "\x00", "a\r\nSet-Cookie: x=1", "%2F", "%", "%zz", "a%00",
		"events", "a?b=c#d", "a+b", "{connection}", "\u2028", "\U0001F30A", strings.Repeat("x", 1024), " ", "\t", "\\", "a;b", "\"'<>",
	}
	for i, id := range ids {
		r.store(r.event(0, webhook(fmt.Sprint(i), "sync.started", "", id, "")))
	}
	r.apply()
	everything := func(id string) string { // every byte percent-encoded, as a client may
		var b strings.Builder
		for i := range len(id) {
			fmt.Fprintf(&b, "%%%02X", id[i])
		}
		return b.String()
	}
	for _, id := range ids {
		for _, text := range []string{url.PathEscape(id), everything(id)} {
			path := "/v1/connections/makini/" + text
			if s := get200[State](r, path); s.Connection != id {
				t.Errorf("%s is connection %q, want %q", path, s.Connection, id)
			}
			if p := get200[Page[Entry]](r, path+"/events"); len(p.Items) != 1 {
				t.Errorf("%s/events has %d entries, want 1", path, len(p.Items))
			}
		}
	}
	if all, _ := follow[State](r, "/v1/connections", url.Values{"limit": {"2"}}, nil); len(all) != len(ids) {
		t.Errorf("the list has %d connections, want %d", len(all), len(ids))
	}
}

// problemAt asks for a path that must not work, and checks the shape of the answer.
func problemAt(t *testing.T, r *rig, method, path string, status int, code string, header ...string) (Problem, *http.Response) {
	t.Helper()
	res, b := r.send(method, path, header...)
	var p Problem
	dec := json.NewDecoder(strings.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		t.Errorf("%s %s: %v in %q", method, path, err, b)
	}
	if res.StatusCode != status || p.Status != status || p.Code != code || p.Type != "about:blank" || p.Title == "" || p.Detail == "" ||
		p.RequestID == "" || p.RequestID != res.Header.Get("X-Request-Id") || res.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %s: %d %s %s; want a problem %d %s", method, path, res.StatusCode, res.Header.Get("Content-Type"), b, status, code)
	}
	return p, res
}

func TestProblems(t *testing.T) {
	r := newRig(t)
	r.add(r.event(0, webhook("1", "sync.started", "", "c", "")))
	get := func(path string, status int, code string) Problem {
		t.Helper()
		p, _ := problemAt(t, r, "GET", path, status, code)
		return p
	}
	if p := get("/v1/connections/makini/nobody", 404, CodeNotFound); !strings.Contains(p.Detail, `"nobody"`) {
		t.Errorf("detail %q", p.Detail)
	}
	if p := get("/v1/connections/mankini/c", 404, CodeNotFound); !strings.Contains(p.Detail, `Did you mean "makini"?`) {
		t.Errorf("detail %q", p.Detail)
	}
	get("/v1/connections/makini/nobody/events", 404, CodeNotFound)
	get("/v1/connections/makini/c/explanation", 404, CodeUnknownPath)
	get("/v1/watch", 503, CodeNotReady) // nobody tells this server what changes
	get("/", 404, CodeUnknownPath)
	get("/v1/connections/", 404, CodeUnknownPath)
	get("/schemas/State.json", 404, CodeUnknownPath)
	get("/v1/connections?valid_on=2026-01-01T00:00:00Z", 400, CodeUnknownParameter)
	get("/v1/connections/makini/c?known_at=2026-01-01T00:00:00Z", 404, CodeNotKnownThen)
	get("/v1/stats?x=1", 400, CodeUnknownParameter)
	get("/livez?x=1", 400, CodeUnknownParameter)
	get("/v1/connections?limit=0", 400, CodeInvalidParameter)
	get("/v1/connections/makini/c/events?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", 400, CodeInvalidParameter)
	get("/v1/connections?cursor=AQ", 400, CodeInvalidCursor)
	get("/v1/events/xyz", 400, CodeInvalidParameter)
	get("/v1/events/8ZZZZZZZZZZZZZZZZZZZZZZZZZ", 400, CodeInvalidParameter)
	get("/v1/events/01JZXW8Q5R0000000000000000", 404, CodeNotFound)
	get("/v1/events/01JZXW8Q5R0000000000000000/raw", 404, CodeNotFound)
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"} {
		if _, res := problemAt(t, r, method, "/v1/connections", 405, CodeMethodNotAllowed); res.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: Allow %q", method, res.Header.Get("Allow"))
		}
	}
	stored := r.event(1, "x")
	r.store(stored)
	if p := get("/v1/events/"+stored.ID.String(), 404, CodeNotFound); !strings.Contains(p.Detail, "not applied yet") {
		t.Errorf("detail %q", p.Detail)
	}
	if got := r.logged.String(); got != "" {
		t.Errorf("clients' mistakes are logged: %s", got)
	}
}

func TestErrorsOfOursStayInside(t *testing.T) {
	var fail error
	r := newRig(t, func(o *Options) {
		view := o.View
		o.View = func() (*projections.View, error) {
			if fail != nil {
				return nil, fail
			}
			return view()
		}
	})
	e := r.event(0, webhook("1", "sync.started", "", "c", ""))
	r.add(e)
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{errors.New("open /var/lib/secret: permission denied"), 500, CodeInternal},
		{fmt.Errorf("secret: %w", eventstore.ErrUnavailable), 503, CodeLogUnavailable},
		{fmt.Errorf("secret: %w", eventstore.ErrDiskLow), 503, CodeLogUnavailable},
		{fmt.Errorf("secret: %w", eventstore.ErrIntegrity), 500, CodeIntegrity},
	} {
		fail = c.err
		p, res := problemAt(t, r, "GET", "/v1/connections/makini/c", c.status, c.code)
		if strings.Contains(p.Detail+res.Status, "secret") {
			t.Errorf("%v is told to a client: %+v", c.err, p)
		}
		if log := r.logged.String(); !strings.Contains(log, c.err.Error()) || !strings.Contains(log, "request_id="+p.RequestID) {
			t.Errorf("%v under %s is not in the log: %s", c.err, p.RequestID, log)
		}
		if c.status == 503 && res.Header.Get("Retry-After") == "" {
			t.Errorf("%v: no Retry-After", c.err)
		}
	}
	fail = nil

	r.log.FailReads(3)
	problemAt(t, r, "GET", "/v1/events/"+e.ID.String(), 503, CodeLogUnavailable)
	problemAt(t, r, "GET", "/v1/events/"+e.ID.String()+"/raw", 503, CodeLogUnavailable)
	problemAt(t, r, "GET", "/v1/stats", 503, CodeLogUnavailable)
	r.log.FlipBit(1, 800)
	problemAt(t, r, "GET", "/v1/events/"+e.ID.String(), 500, CodeIntegrity)
	r.log.CutTail(1)
	problemAt(t, r, "GET", "/v1/events/"+e.ID.String()+"/raw", 500, CodeIntegrity)
	get200[State](r, "/v1/connections/makini/c") // the log is not needed for that
}
