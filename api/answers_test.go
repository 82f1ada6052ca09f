package api

import (
	"strings"
	"testing"
	"time"
)

// story stores what the goldens show: a connection that fails, with a late
// event, a duplicate, a conflict, a wrong clock and one without a time; and a
// webhook that nobody can place.
func story(r *rig) (ids []string) {
	at := func(d time.Duration) string { return day.Add(d).Format(time.RFC3339Nano) }
	failed := `{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"slow down & <wait>","request_id":"req_9"}}`
	first := webhook("d1", "connection.connected", at(-time.Hour), "conn_42", "")
	events := []string{
		first,
		webhook("d2", "sync.failed", at(2*time.Minute), "conn_42", failed),
		webhook("d3", "sync.failed", at(time.Minute+500*time.Millisecond), "conn_42", failed), // late
		first, // the same again
		webhook("d1", "connection.connected", at(-time.Hour), "conn_42", `{"other":"bytes"}`),             // a conflict
		webhook("d4", "connection.auth_required", "2031-01-01T00:00:00Z", "conn_42", `{"reason":"gone"}`), // a wrong clock
		webhook("d5", "flow.invoice_stuck", "", "conn_42", ""),                                            // no time
		`{"id":"d6","event_type":"sync.failed"}`,
	}
	for i, body := range events {
		e := r.event(time.Duration(i)*time.Minute, body)
		ids = append(ids, e.ID.String())
		if i%2 == 0 {
			r.store(e)
		} else {
			r.add(e)
		}
	}
	r.apply()
	return ids
}

func TestAnswersAreTheContracts(t *testing.T) {
	r := newRig(t, func(o *Options) {
		o.Pending = func() Pending { return Pending{Events: 3, Bytes: 1800} }
		o.Now = func() time.Time { return day.Add(time.Hour) }
	})
	ids := story(r)
	r.store(r.event(30*time.Minute, "one"), r.event(31*time.Minute, "two"))
	for name, path := range map[string]string{
		"state.json":             "/v1/connections/makini/conn_42",
		"connections.json":       "/v1/connections",
		"timeline.json":          "/v1/connections/makini/conn_42/events",
		"quarantine.json":        "/v1/quarantine",
		"stats.json":             "/v1/stats",
		"event-placed.json":      "/v1/events/" + ids[1],
		"event-late.json":        "/v1/events/" + ids[2],
		"event-duplicate.json":   "/v1/events/" + ids[3],
		"event-conflict.json":    "/v1/events/" + ids[4],
		"event-skewed.json":      "/v1/events/" + ids[5],
		"event-timeless.json":    "/v1/events/" + ids[6],
		"event-quarantined.json": "/v1/events/" + ids[7],
		"livez.json":             "/livez",
		"readyz.json":            "/readyz",
	} {
		res, b := r.send("GET", path)
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/json" {
			t.Errorf("GET %s: %d %s\n%s", path, res.StatusCode, res.Header.Get("Content-Type"), b)
			continue
		}
		golden(t, name, b)
	}
}

func TestLagIsCountedAndThenEstimated(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Now = func() time.Time { return day.Add(time.Minute) } })
	r.add(r.event(0, "x"))
	if s := get200[Stats](r, "/v1/stats"); s.Lag != (Lag{}) || s.Head != 1 || s.Checkpoint != 1 {
		t.Errorf("nothing behind: %+v", s)
	}
	r.store(r.event(30*time.Second, "a"), r.event(40*time.Second, "b"))
	r.store(r.event(50*time.Second, "c"))
	if s := get200[Stats](r, "/v1/stats"); s.Lag != (Lag{Events: 3, Seconds: 30}) || s.Head != 3 {
		t.Errorf("three events behind: %+v", s)
	}
	for range 298 {
		r.store(r.event(time.Hour, "a"), r.event(time.Hour, "b"))
	}
	if s := get200[Stats](r, "/v1/stats"); s.Lag.Events < 590 || s.Lag.Events > 600 || s.Head != 301 {
		t.Errorf("599 events behind: %+v", s)
	}
}

// No time that a provider can send may make an answer impossible to write.
func TestTimesAtTheEdges(t *testing.T) {
	r := newRig(t)
	times := []string{
		"9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "0000-01-01T00:00:00Z",
		"1677-01-01T00:00:00Z", "2262-04-12T00:00:00Z", "1970-01-01T00:00:00Z", "1899-12-31T23:59:59Z",
	}
	for i, at := range times {
		data := `{"reason":"x","expires_at":"` + at + `"}`
		r.add(r.event(time.Duration(i)*time.Second, webhook(at, "connection.auth_required", at, "c", data)))
		s := get200[State](r, "/v1/connections/makini/c")
		q := get200[Page[Quarantine]](r, "/v1/quarantine")
		entries := get200[Page[Entry]](r, "/v1/connections/makini/c/events")
		if n := len(entries.Items) + len(q.Items); n != i+1 || s.Counts.Events != uint64(len(entries.Items)) {
			t.Errorf("%s: %d entries and %d in quarantine of %d events; state %+v", at, len(entries.Items), len(q.Items), i+1, s)
		}
	}
}

func TestRawIsTheExactBytes(t *testing.T) {
	r := newRig(t)
	nasty := "<!doctype html><script>alert(1)</script>\x00\xff\r\n{\"connection_id\":"
	e := r.event(0, nasty)
	r.add(e)
	for _, method := range []string{"GET", "HEAD"} {
		res, b := r.send(method, "/v1/events/"+e.ID.String()+"/raw")
		if method == "GET" && b != nasty || method == "HEAD" && b != "" {
			t.Errorf("%s: body %q", method, b)
		}
		if res.StatusCode != 200 || res.ContentLength != int64(len(nasty)) {
			t.Errorf("%s: %d, length %d", method, res.StatusCode, res.ContentLength)
		}
		for name, want := range map[string]string{
			"Content-Type":            "application/octet-stream",
			"Content-Disposition":     `attachment; filename="` + e.ID.String() + `.bin"`,
			"Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":  "nosniff",
			"X-Frame-Options":         "DENY",
		} {
			if got := res.Header.Values(name); len(got) != 1 || got[0] != want {
				t.Errorf("%s: %s is %q, want %q", method, name, got, want)
			}
		}
	}
}

func TestTextFromOutsideIsInert(t *testing.T) {
	r := newRig(t)
	const evil = `</script><script>alert(1)</script>"'&` + "\u2028\x1b[31m"
	r.add(r.event(0, webhook(evil, evil, "", evil, `{"reason":"`+`<img src=x onerror=alert(1)>`+`"}`)))
	r.add(r.event(0, `{"id":"x","event_type":"`+strings.Repeat("<b>", 200)+`","connection_id":"y"}`))
	list := get200[Page[State]](r, "/v1/connections")
	if len(list.Items) != 1 || list.Items[0].Connection != evil {
		t.Fatalf("the id does not come back as it was: %+v", list)
	}
	for _, path := range []string{"/v1/connections", "/v1/quarantine", "/v1/connections/makini/%3Cscript%3Ealert(1)%3C%2Fscript%3E", "/v1/connections?health=%3Cscript%3E",
		"/v1/connections?%3Cscript%3E=1", "/v1/%3Cscript%3E", "/v1/events/%3Cscript%3E"} {
		res, b := r.send("GET", path)
		ct := res.Header.Get("Content-Type")
		if ct != "application/json" && ct != "application/problem+json" {
			t.Errorf("GET %s: content type %q", path, ct)
		}
		if res.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(res.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("GET %s: headers %v", path, res.Header)
		}
		if strings.ContainsAny(b, "\x1b\u2028") {
			t.Errorf("GET %s: control characters as they are in %q", path, b)
		}
	}
}
