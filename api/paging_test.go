package api

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// follow reads a list page by page; between is called after each page.
func follow[T any](r *rig, path string, query url.Values, between func()) (all []T, pages int) {
	r.t.Helper()
	for {
		page := get200[Page[T]](r, path+"?"+query.Encode())
		if limit, err := strconv.Atoi(query.Get("limit")); err == nil && len(page.Items) > limit {
			r.t.Errorf("%s?%s: %d items", path, query.Encode(), len(page.Items))
		}
		all = append(all, page.Items...)
		pages++
		if page.Next == nil {
			return all, pages
		}
		if pages > 1000 {
			r.t.Fatalf("%s has no last page", path)
		}
		query.Set("cursor", *page.Next)
		if between != nil {
			between()
		}
	}
}

func names(states []State) (ids []string) {
	for _, s := range states {
		ids = append(ids, s.Source+"/"+s.Connection)
	}
	return ids
}

func TestListOfConnections(t *testing.T) {
	r := newRig(t)
	var all, failing []string
	for i := range 60 {
		id := fmt.Sprintf("conn_%02d", i)
		kind := []string{"sync.failed", "connection.online", "connection.auth_required"}[i%3]
		r.store(r.event(time.Duration(i)*time.Second, webhook(id, kind, "", id, "")))
		all = append(all, "makini/"+id)
		if i%3 == 0 {
			failing = append(failing, "makini/"+id)
		}
	}
	r.apply()
	same := func(what string, got, want []string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d connections %v, want %d: %v", what, len(got), got, len(want), want)
		}
	}
	if page := get200[Page[State]](r, "/v1/connections"); len(page.Items) != 50 || page.Next == nil {
		t.Errorf("a page without a limit has %d items, next %v", len(page.Items), page.Next)
	}
	for _, limit := range []string{"1", "7", "60", "61", "500"} {
		got, pages := follow[State](r, "/v1/connections", url.Values{"limit": {limit}}, nil)
		same("limit "+limit, names(got), all)
		if limit == "60" && pages != 1 {
			t.Errorf("60 connections at 60 to a page are %d pages", pages)
		}
	}
	got, _ := follow[State](r, "/v1/connections", url.Values{"health": {"failing"}, "limit": {"3"}}, nil)
	same("failing", names(got), failing)
	got, _ = follow[State](r, "/v1/connections", url.Values{"health": {"failing", "healthy", "failing", "action_required"}, "limit": {"9"}}, nil)
	same("any of three", names(got), all)
	got, _ = follow[State](r, "/v1/connections", url.Values{"q": {"conn_2"}, "source": {"makini"}, "limit": {"4"}}, nil)
	same("prefix", names(got), all[20:30])
	got, _ = follow[State](r, "/v1/connections", url.Values{"q": {"conn_2"}, "health": {"failing"}, "limit": {"2"}}, nil)
	same("prefix and health", names(got), []string{"makini/conn_21", "makini/conn_24", "makini/conn_27"})
	for _, none := range []url.Values{{"source": {"makin"}}, {"source": {"makini2"}}, {"q": {"x"}}, {"health": {"paused"}}} {
		if page := get200[Page[State]](r, "/v1/connections?"+none.Encode()); page.Items == nil || len(page.Items) != 0 || page.Next != nil {
			t.Errorf("%v: %+v, want an empty list", none, page)
		}
	}
}

func TestCursorsStayValidWhileEventsArrive(t *testing.T) {
	r := newRig(t)
	n := 0
	at := func(minute int) string { return day.Add(time.Duration(minute) * time.Minute).Format(time.RFC3339) }
	put := func(connection string, minute int) {
		n++
		r.add(r.event(time.Duration(n)*time.Second-time.Hour, webhook(fmt.Sprint(n), "sync.started", at(minute), connection, "")))
	}
	for i := range 20 {
		put(fmt.Sprintf("c%02d", i), i-300)
		put("busy", i-300)
		r.add(r.event(time.Duration(n)*time.Second-time.Hour, `{"id":"q"}`))
	}
	// While pages are read, connections and events appear before and behind the place.
	i := 0
	between := func() {
		i++
		put(fmt.Sprintf("a%02d", i), i-200) // before every other
		put("zz", i-200)                    // behind
		put("busy", -400-i)                 // earlier than all
		put("busy", -100+i)                 // later than all
	}
	got, _ := follow[State](r, "/v1/connections", url.Values{"limit": {"3"}}, between)
	var old []string
	for _, s := range got {
		if strings.HasPrefix(s.Connection, "c") || s.Connection == "busy" {
			old = append(old, s.Connection)
		}
	}
	if len(old) != 21 || !slices.IsSorted(old) || len(slices.Compact(old)) != 21 {
		t.Errorf("connections that were there from the start: %v", old)
	}
	for _, order := range []string{"asc", "desc"} {
		entries, _ := follow[Entry](r, "/v1/connections/makini/busy/events", url.Values{"limit": {"4"}, "order": {order}}, between)
		var times []string
		seen := map[string]int{}
		for _, e := range entries {
			times = append(times, e.EffectiveAt.Format(time.RFC3339Nano))
			seen[e.Event]++
		}
		if order == "desc" {
			slices.Reverse(times)
		}
		if !slices.IsSorted(times) {
			t.Errorf("%s: not in order: %v", order, times)
		}
		first := 0
		for _, e := range entries {
			if seen[e.Event] != 1 {
				t.Errorf("%s: event %s comes %d times", order, e.Event, seen[e.Event])
			}
			if m := e.EffectiveAt.Sub(day); m >= -300*time.Minute && m < -280*time.Minute {
				first++
			}
		}
		if first != 20 {
			t.Errorf("%s: %d of the 20 events that were there from the start", order, first)
		}
	}
	q, _ := follow[Quarantine](r, "/v1/quarantine", url.Values{"limit": {"3"}}, between)
	if len(q) != 20 || !slices.IsSortedFunc(q, func(a, b Quarantine) int { return int(a.Position) - int(b.Position) }) {
		t.Errorf("%d quarantined events, want 20 in order: %+v", len(q), q)
	}
}

func TestTimelineFilters(t *testing.T) {
	r := newRig(t)
	for i := range 40 {
		kind := "sync.started"
		if i%10 == 0 {
			kind = "rare"
		}
		r.store(r.event(time.Hour, webhook(fmt.Sprint(i), kind, day.Add(time.Duration(i)*time.Minute).Format(time.RFC3339), "c", "")))
	}
	r.apply()
	minutes := func(es []Entry) (m []int) {
		for _, e := range es {
			m = append(m, int(e.EffectiveAt.Sub(day)/time.Minute))
		}
		return m
	}
	at := func(m int) string { return day.Add(time.Duration(m) * time.Minute).Format(time.RFC3339) }
	r.maxScan = 7
	if page := get200[Page[Entry]](r, "/v1/connections/makini/c/events?type=rare"); len(page.Items) != 0 || page.Next == nil {
		t.Errorf("a page that looked at 7 entries: %+v", page)
	}
	for _, c := range []struct {
		query url.Values
		want  []int
	}{
		{url.Values{"type": {"rare"}}, []int{30, 20, 10, 0}},
		{url.Values{"type": {"rare"}, "order": {"asc"}, "limit": {"1"}}, []int{0, 10, 20, 30}},
		{url.Values{"type": {"rare", "x"}, "from": {at(10)}, "to": {at(30)}}, []int{20, 10}},
		{url.Values{"type": {"RARE"}}, nil},
		{url.Values{"from": {at(37)}}, []int{39, 38, 37}},
		{url.Values{"to": {at(2)}, "order": {"asc"}}, []int{0, 1}},
		{url.Values{"from": {at(5)}, "to": {at(5)}}, nil},
		{url.Values{"from": {"0001-01-01T00:00:00Z"}, "to": {"0001-01-02T00:00:00Z"}}, nil},
		{url.Values{"from": {"9999-01-01T00:00:00Z"}}, nil},
	} {
		got, _ := follow[Entry](r, "/v1/connections/makini/c/events", c.query, nil)
		if !slices.Equal(minutes(got), c.want) {
			t.Errorf("%v: %v, want %v", c.query, minutes(got), c.want)
		}
	}
}

func TestQuarantineWithinAGroup(t *testing.T) {
	r := newRig(t)
	r.add(r.event(0, "a"), r.event(0, "b"), r.event(0, "c"))
	r.add(r.event(1, "d"), r.event(1, "e"))
	all, pages := follow[Quarantine](r, "/v1/quarantine", url.Values{"limit": {"1"}}, nil)
	if len(all) != 5 || pages != 5 || all[1].Index != 1 || all[4].Position != 2 {
		t.Errorf("%d pages: %+v", pages, all)
	}
}
