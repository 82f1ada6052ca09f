package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

func testMess(t *testing.T, count, copies int, skew time.Duration, shuffle bool, seed uint64) *mess {
	t.Helper()
	def, err := providers.Load("makini")
	if err != nil {
		t.Fatal(err)
	}
	m := &mess{def: def, secret: providers.NewSecret("s"), source: "makini", kind: "sync.failed", connection: "c", copies: copies,
		step: time.Minute, end: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	m.make(m.end, count, "", skew, shuffle, seed)
	return m
}

func TestMess(t *testing.T) {
	m := testMess(t, 50, 3, 0, true, 7)
	counts := map[int]int{}
	for _, i := range m.order {
		counts[i]++
	}
	if len(m.order) != 150 || len(counts) != 50 || counts[0] != 3 || counts[49] != 3 {
		t.Errorf("not every event is delivered three times: %v", m.order)
	}
	if slices.IsSorted(m.order) {
		t.Error("it is not shuffled")
	}
	if again := testMess(t, 50, 3, 0, true, 7); !slices.Equal(m.order, again.order) || m.ids[0] == again.ids[0] {
		t.Error("the same seed gives another order, or the same ids")
	}
	if other := testMess(t, 50, 3, 0, true, 8); slices.Equal(m.order, other.order) {
		t.Error("another seed gives the same order")
	}
	if plain := testMess(t, 5, 2, 0, false, 7); !slices.Equal(plain.order, []int{0, 0, 1, 1, 2, 2, 3, 3, 4, 4}) {
		t.Errorf("without shuffle the order is %v", plain.order)
	}
	ids := map[string]bool{}
	for i := range 50 {
		e, err := m.event(i)
		if err != nil {
			t.Fatal(err)
		}
		twin, err := m.event(i)
		if err != nil || !bytes.Equal(e.body, twin.body) {
			t.Errorf("a duplicate is not the same byte for byte: %s, %s", e.body, twin.body)
		}
		if want := m.end.Add(time.Duration(i-49) * time.Minute); !e.at.Equal(want) {
			t.Errorf("event %d happened at %s, want %s", i, e.at, want)
		}
		ids[e.id] = true
	}
	if len(ids) != 50 {
		t.Errorf("%d ids for 50 events", len(ids))
	}
}

func TestMessSkew(t *testing.T) {
	const skew = 3 * time.Hour
	m := testMess(t, 200, 1, skew, false, 1)
	var before, behind int
	for i := range 200 {
		e, err := m.event(i)
		if err != nil {
			t.Fatal(err)
		}
		off := e.at.Sub(m.end.Add(time.Duration(i-199) * time.Minute))
		if off.Abs() > skew {
			t.Errorf("the clock is off by %s, more than %s", off, skew)
		}
		if off < 0 {
			before++
		} else {
			behind++
		}
	}
	if before < 50 || behind < 50 {
		t.Errorf("%d clocks are slow and %d are fast: that is no accident", before, behind)
	}
}

// flaky is a server that answers each delivery with 503 before it takes it.
type flaky struct {
	mu       sync.Mutex
	tried    map[string]int
	accepted int
}

func (f *flaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct{ ID string }
	_ = json.NewDecoder(r.Body).Decode(&body) // an empty id is a failure of the test below
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tried[body.ID]++
	if f.tried[body.ID] == 1 {
		http.Error(w, `{"detail":"not now"}`, http.StatusServiceUnavailable)
		return
	}
	f.accepted++
	fmt.Fprintf(w, `{"id":"01TEST%d"}`, f.accepted)
}

// TestDeliverRetries is a server that cannot store just now: send tries again, and counts once.
func TestDeliverRetries(t *testing.T) {
	f := &flaky{tried: map[string]int{}}
	srv := httptest.NewServer(f)
	defer srv.Close()
	m := testMess(t, 20, 1, 0, true, 1)
	m.url, m.post = srv.URL, srv.URL
	var out, talk bytes.Buffer
	a := &app{stdout: &out, stderr: &talk, now: time.Now, environ: func(string) (string, bool) { return "", false }, format: formatJSONL}
	d := newDelivery(a, m, 8)
	if err := d.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.summary()
	if f.accepted != 20 || len(f.tried) != 20 {
		t.Errorf("%d accepted of %d ids", f.accepted, len(f.tried))
	}
	if n := strings.Count(out.String(), `"event":"01TEST`); n != 20 {
		t.Errorf("%d events are printed: %s", n, out.String())
	}
	if !strings.Contains(talk.String(), "20 of 20 deliveries acknowledged (20 events, 0 duplicates), 0 failed") {
		t.Errorf("summary: %s", talk.String())
	}
}

// TestDeliverGivesUp is a server that goes away for good: it is told, with what was acknowledged before.
func TestDeliverGivesUp(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"detail":"The body is larger than this source accepts."}`, http.StatusRequestEntityTooLarge)
	}))
	defer srv.Close()
	m := testMess(t, 3, 1, 0, false, 1)
	m.url, m.post = srv.URL, srv.URL
	var talk bytes.Buffer
	a := &app{stdout: &talk, stderr: &talk, now: time.Now, environ: func(string) (string, bool) { return "", false }}
	d := newDelivery(a, m, 1)
	err := d.run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "413: The body is larger") {
		t.Errorf("error %v", err)
	}
	d.summary()
	if !strings.Contains(talk.String(), "0 of 3 deliveries acknowledged (0 events, 0 duplicates), 3 failed") {
		t.Errorf("summary: %s", talk.String())
	}
}
