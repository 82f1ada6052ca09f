package api

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// clock is a time of the tests' day in the form of a query.
func clock(after time.Duration) string {
	return url.QueryEscape(day.Add(after).Format(time.RFC3339Nano))
}

// corrected stores a connection whose sync succeeded at 0, which was learned at
// once, and failed ten minutes before, which was learned an hour later; then it went
// offline and, two hours later, online.
func corrected(r *rig) {
	at := func(d time.Duration) string { return day.Add(d).Format(time.RFC3339Nano) }
	failed := `{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"slow down"}}`
	r.add(r.event(time.Second, webhook("k0", "sync.started", at(-time.Hour), "c", "")))
	r.add(r.event(2*time.Second, webhook("k1", "sync.succeeded", at(0), "c", "")))
	r.add(r.event(time.Hour, webhook("k2", "sync.failed", at(-10*time.Minute), "c", failed)))
	r.add(r.event(2*time.Hour, webhook("k3", "connection.offline", at(90*time.Minute), "c", `{"reason":"firewall"}`)))
	r.add(r.event(2*time.Hour+time.Second, webhook("k3", "connection.offline", at(90*time.Minute), "c", `{"reason":"firewall"}`)))
	r.add(r.event(4*time.Hour, webhook("k4", "connection.online", at(3*time.Hour+30*time.Minute), "c", "")))
	r.add(r.event(5*time.Hour, webhook("k5", "sync.started", at(5*time.Hour), "other", "")))
}

func pastRig(t testing.TB) *rig {
	r := newRig(t, func(o *Options) { o.Now = func() time.Time { return day.Add(10 * time.Hour) } })
	corrected(r)
	return r
}

func TestAnswersAboutThePast(t *testing.T) {
	r := pastRig(t)
	const c = "/v1/connections/makini/c"
	for name, path := range map[string]string{
		"past-valid.json":       c + "?valid_at=" + clock(-5*time.Minute),
		"past-known.json":       c + "?known_at=" + clock(30*time.Minute),
		"past-both.json":        c + "?valid_at=" + clock(-5*time.Minute) + "&known_at=" + clock(30*time.Minute),
		"past-connections.json": "/v1/connections?valid_at=" + clock(2*time.Hour),
		"past-timeline.json":    c + "/events?limit=2&known_at=" + clock(2*time.Hour),
		"explain.json":          c + "/explain",
		"corrections.json":      c + "/corrections",
		"stats-hours.json":      c + "/stats?from=" + clock(-30*time.Minute) + "&to=" + clock(2*time.Hour) + "&bucket=hour",
		"diff-valid.json":       c + "/diff?from=" + clock(time.Hour) + "&to=" + clock(2*time.Hour),
		"diff-known.json":       c + "/diff?axis=known&from=" + clock(30*time.Minute) + "&to=" + clock(90*time.Minute) + "&valid_at=" + clock(-5*time.Minute),
		"diff-begin.json":       c + "/diff?from=" + clock(-2*time.Hour) + "&to=" + clock(-30*time.Minute),
		"timeline-late.json":    c + "/events?corrections=true&to=" + clock(time.Hour),
	} {
		res, b := r.send("GET", path)
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/json" {
			t.Errorf("GET %s: %d %s\n%s", path, res.StatusCode, res.Header.Get("Content-Type"), b)
			continue
		}
		golden(t, name, b)
	}
}

func TestNotKnownThen(t *testing.T) {
	r := pastRig(t)
	const c = "/v1/connections/makini/c"
	for path, words := range map[string]string{
		c + "?valid_at=" + clock(-2*time.Hour):                                          "had happened by 2026-05-04T07:00:00Z (valid_at). Its first event happened at 2026-05-04T08:00:00Z.",
		c + "?known_at=" + clock(0):                                                     "had been received by 2026-05-04T09:00:00Z (known_at)",
		c + "?valid_at=0001-01-01T00:00:00Z":                                            "had happened by 0001-01-01",
		c + "/explain?known_at=" + clock(0):                                             "known_at",
		c + "/events?valid_at=" + clock(-2*time.Hour) + "&known_at=" + clock(time.Hour): "(valid_at) and been received by",
		c + "/events?format=csv&known_at=" + clock(0):                                   "known_at",
		c + "/stats?known_at=" + clock(0):                                               "known_at",
		c + "/diff?from=" + clock(-3*time.Hour) + "&to=" + clock(-2*time.Hour):          "had happened by 2026-05-04T07:00:00Z",
	} {
		if p, _ := problemAt(t, r, "GET", path, 404, CodeNotKnownThen); !strings.Contains(p.Detail, words) {
			t.Errorf("%s: %q, want %q in it", path, p.Detail, words)
		}
	}
	for _, path := range []string{"", "/explain", "/events", "/stats", "/corrections", "/diff?from=" + clock(0), "?valid_at=" + clock(0)} {
		if p, _ := problemAt(t, r, "GET", "/v1/connections/makini/nobody"+path, 404, CodeNotFound); !strings.Contains(p.Detail, `"nobody"`) {
			t.Errorf("%s: %q", path, p.Detail)
		}
	}
}

func TestHealthFilterIsThatOfThen(t *testing.T) {
	r := newRig(t)
	for i := range 30 {
		id := fmt.Sprintf("c%02d", i)
		first, then := "connection.offline", "connection.online"
		if i%3 == 0 {
			first, then = then, first
		}
		r.store(r.event(0, webhook("a"+id, first, day.Format(time.RFC3339), id, "")))
		r.store(r.event(2*time.Hour, webhook("b"+id, then, day.Add(2*time.Hour).Format(time.RFC3339), id, "")))
		r.store(r.event(3*time.Hour, webhook("n"+id, first, day.Add(3*time.Hour).Format(time.RFC3339), "new"+id, "")))
	}
	r.apply()
	ask := func(query url.Values) []string {
		got, _ := follow[State](r, "/v1/connections", query, func() { // what arrives meanwhile was not known then
			r.add(r.event(4*time.Hour, webhook(fmt.Sprint("x", r.entropy), "connection.online", day.Format(time.RFC3339), "c01", "")))
		})
		return names(got)
	}
	var want []string
	for i := 0; i < 30; i += 3 {
		want = append(want, fmt.Sprintf("makini/c%02d", i))
	}
	at := day.Add(time.Hour).Format(time.RFC3339)
	for _, scan := range []int{maxScan, 4} {
		r.maxScan = scan
		for _, limit := range []string{"3", "500"} {
			for _, axis := range []string{"valid_at", "known_at"} {
				if got := ask(url.Values{"health": {"healthy"}, axis: {at}, "limit": {limit}}); axis == "known_at" && !slices.Equal(got, want) {
					t.Errorf("healthy as of %s=%s: %v, want %v", axis, at, got, want)
				} else if len(got) < 10 || len(got) > 11 { // valid_at sees c01's late event
					t.Errorf("healthy as of %s=%s: %v", axis, at, got)
				}
			}
		}
	}
	if got := ask(url.Values{"known_at": {at}}); len(got) != 30 {
		t.Errorf("%d connections were known, want 30", len(got))
	}
}

func TestACursorBelongsToItsInstant(t *testing.T) {
	r := pastRig(t)
	path := "/v1/connections/makini/c/events?limit=1"
	next := *get200[Page[Entry]](r, path+"&known_at="+clock(time.Hour)).Next
	get200[Page[Entry]](r, path+"&known_at="+clock(time.Hour)+"&cursor="+next)
	for _, other := range []string{"", "&known_at=" + clock(2*time.Hour), "&valid_at=" + clock(time.Hour)} {
		problemAt(t, r, "GET", path+other+"&cursor="+next, 400, CodeInvalidCursor)
	}
}

func TestCorrectionsPageByPage(t *testing.T) {
	r := newRig(t)
	// Arrival in the order of storing: the late ones last.
	var inTime, later []eventstore.Event
	for i := range 60 {
		at := day.Add(time.Duration(i) * time.Minute).Format(time.RFC3339)
		kind := []string{"connection.offline", "connection.disconnected", "connection.connected", "flow.note"}[i%4]
		if i%4 >= 2 {
			later = append(later, r.event(2*time.Hour+time.Duration(i)*time.Second, webhook(fmt.Sprint(i), kind, at, "c", "")))
		} else {
			inTime = append(inTime, r.event(time.Duration(i)*time.Minute, webhook(fmt.Sprint(i), kind, at, "c", "")))
		}
	}
	r.add(inTime...)
	r.add(later...)
	const path = "/v1/connections/makini/c/corrections"
	whole, _ := follow[Correction](r, path, url.Values{"limit": {"500"}, "order": {"asc"}}, nil)
	if len(whole) < 20 {
		t.Fatalf("%d corrections: %+v", len(whole), whole)
	}
	if !slices.IsSortedFunc(whole, func(a, b Correction) int { return a.From.Compare(b.From) }) {
		t.Errorf("not in order: %+v", whole)
	}
	for _, scan := range []int{maxScan, 3} {
		r.maxScan = scan
		for _, limit := range []string{"1", "2", "7"} {
			for _, order := range []string{"asc", "desc"} {
				got, _ := follow[Correction](r, path, url.Values{"limit": {limit}, "order": {order}}, nil)
				if same := sameCorrections(got, whole); !same {
					t.Errorf("limit %s, %s: %d corrections, want %d", limit, order, len(got), len(whole))
				}
			}
		}
	}
	from, to := day.Add(10*time.Minute), day.Add(20*time.Minute)
	got, _ := follow[Correction](r, path, url.Values{"from": {from.Format(time.RFC3339)}, "to": {to.Format(time.RFC3339)}}, nil)
	want := slices.DeleteFunc(slices.Clone(whole), func(c Correction) bool { return c.From.Before(from) || !c.From.Before(to) })
	if len(want) == 0 || !sameCorrections(got, want) {
		t.Errorf("between: %+v, want %+v", got, want)
	}
	// The timeline tells the same, event by event.
	var told []Correction
	entries, _ := follow[Entry](r, "/v1/connections/makini/c/events", url.Values{"corrections": {"true"}, "limit": {"9"}}, nil)
	for _, e := range entries {
		told = append(told, e.Corrections...)
		if len(e.Corrections) > 0 && !slices.Contains(e.Flags, FlagLate) {
			t.Errorf("an event in time corrects: %+v", e)
		}
	}
	if !sameCorrections(told, whole) {
		t.Errorf("the timeline tells %d corrections, want %d", len(told), len(whole))
	}
}

// sameCorrections compares two lists whatever their order.
func sameCorrections(a, b []Correction) bool {
	key := func(list []Correction) (keys []string) {
		for _, c := range list {
			keys = append(keys, c.Event+c.Facet+c.Was+c.Is+optionalTime(c.To))
		}
		slices.Sort(keys)
		return keys
	}
	return slices.Equal(key(a), key(b))
}
