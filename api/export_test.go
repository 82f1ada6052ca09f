package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// lines decodes an export of JSON lines.
func lines[T any](t *testing.T, b string) (all []T) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(b))
	dec.DisallowUnknownFields()
	for {
		var v T
		err := dec.Decode(&v)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%v in %s", err, b)
		}
		all = append(all, v)
	}
}

// table decodes an export of CSV by the names of its columns.
func table(t *testing.T, b string) (rows []map[string]string) {
	t.Helper()
	all, err := csv.NewReader(strings.NewReader(b)).ReadAll()
	if err != nil || len(all) == 0 {
		t.Fatalf("%v in %q", err, b)
	}
	for _, cells := range all[1:] {
		row := map[string]string{}
		for i, c := range cells {
			row[all[0][i]] = c
		}
		rows = append(rows, row)
	}
	return rows
}

// export is send for an export that has to come through whole.
func (r *rig) export(path string, header ...string) (*http.Response, string) {
	r.t.Helper()
	res, b := r.send("GET", path, header...)
	if res.StatusCode != 200 {
		r.t.Fatalf("GET %s: %d %s", path, res.StatusCode, b)
	}
	return res, b
}

func TestExportsHoldWhatThePagesHold(t *testing.T) {
	r := pastRig(t)
	r.add(r.event(6*time.Hour, `{"id":"q1","event_type":"sync.failed"}`), r.event(6*time.Hour, "no JSON"))
	const c = "/v1/connections/makini/c"
	for name, path := range map[string]string{
		"connections": "/v1/connections?x=1", "events": c + "/events?order=asc", "quarantine": "/v1/quarantine?x=1", "corrections": c + "/corrections?x=1",
	} {
		path = strings.ReplaceAll(path, "x=1", "limit=500")
		page := get200[Page[json.RawMessage]](r, path)
		path, _, _ = strings.Cut(path, "?limit=500")
		res, jsonl := r.export(path, "Accept: application/jsonl")
		if got := lines[json.RawMessage](t, jsonl); len(got) != len(page.Items) || !slices.EqualFunc(got, page.Items, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
			t.Errorf("%s: JSON lines %s, want %s", name, jsonl, page.Items)
		}
		if res.Header.Get("Content-Type") != "application/jsonl; charset=utf-8" || res.Header.Get("Content-Disposition") != `attachment; filename="`+name+`.jsonl"` ||
			res.Header.Get("Tidemark-Checkpoint") != "8" {
			t.Errorf("%s: headers %v", name, res.Header)
		}
		res, text := r.export(path, "Accept: text/csv, application/json;q=0.5")
		if rows := table(t, text); len(rows) != len(page.Items) || res.Header.Get("Content-Type") != "text/csv; charset=utf-8" {
			t.Errorf("%s: %s\n%s", name, res.Header.Get("Content-Type"), text)
		}
		for accept, want := range map[string]string{"*/*": "application/json", "application/json, text/csv": "application/json", "text/html": "application/json", "text/csv;q=0.9": "text/csv; charset=utf-8"} {
			if res, _ := r.send("GET", path, "Accept: "+accept); res.Header.Get("Content-Type") != want {
				t.Errorf("%s, Accept %s: %s", name, accept, res.Header.Get("Content-Type"))
			}
		}
	}
	_, text := r.export("/v1/connections?format=csv&valid_at=" + clock(2*time.Hour))
	if rows := table(t, text); len(rows) != 1 || rows[0]["connection"] != "c" || rows[0]["health_reason"] != "offline: firewall" ||
		rows[0]["connectivity_since"] != "2026-05-04T10:30:00Z" || rows[0]["events"] != "4" || rows[0]["auth_expires_at"] != "" {
		t.Errorf("%s", text)
	}
	_, text = r.export(c + "/events?format=csv&order=asc")
	if rows := table(t, text); rows[1]["effective_at"] != "2026-05-04T08:50:00Z" || rows[1]["flags"] != "late" || rows[1]["sync"] != "failed" || rows[1]["code"] != "RATE_LIMIT_EXCEEDED" {
		t.Errorf("%s", text)
	}
	res, text := r.export(c + "/events?format=jsonl&corrections=true&valid_at=" + clock(-time.Minute) + "&known_at=" + clock(5*time.Hour))
	if got := lines[Entry](t, text); len(got) != 2 || len(got[0].Corrections) != 1 || res.Header.Get("Tidemark-Valid-At") != "2026-05-04T08:59:00Z" ||
		res.Header.Get("Tidemark-Known-At") != "2026-05-04T14:00:00Z" {
		t.Errorf("%v %s", res.Header, text)
	}
	for path, want := range map[string]int{"?format=jsonl&limit=2": 2, "?format=jsonl&type=sync.failed": 1, "?format=jsonl&from=" + clock(time.Hour) + "&to=" + clock(2*time.Hour): 1, "?format=jsonl&type=none": 0} {
		if _, b := r.export(c + "/events" + path); len(lines[Entry](t, b)) != want {
			t.Errorf("%s: %s, want %d", path, b, want)
		}
	}
	// An export goes on where a page ends.
	next := get200[Page[Entry]](r, c+"/events?limit=2").Next
	if _, b := r.export(c + "/events?format=jsonl&cursor=" + *next); len(lines[Entry](t, b)) != 3 {
		t.Errorf("behind two of five: %s", b)
	}
	problemAt(t, r, "GET", "/v1/connections?format=csv&cursor=AQ", 400, CodeInvalidCursor)
	problemAt(t, r, "GET", "/v1/connections/makini/nobody/events?format=csv", 404, CodeNotFound)
	if res, b := r.send("HEAD", "/v1/connections?format=csv"); res.StatusCode != 200 || b != "" || res.Header.Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("HEAD: %d %v %q", res.StatusCode, res.Header, b)
	}
}

func TestFormulasAreText(t *testing.T) {
	r := newRig(t)
	evil := []string{`=HYPERLINK("http://evil","x")`, "+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", "\n=1", `a,"b"`, "two\nlines"}
	for i, text := range evil {
		data, err := json.Marshal(map[string]any{"reason": text})
		if err != nil {
			t.Fatal(err)
		}
		r.store(r.event(0, webhook(fmt.Sprint(i), text, day.Add(time.Duration(i)).Format(time.RFC3339Nano), "c", string(data))))
	}
	r.apply()
	_, b := r.export("/v1/connections/makini/c/events?format=csv&order=asc")
	for i, row := range table(t, b) {
		want := evil[i]
		if i < 7 {
			want = "'" + want
		}
		if row["type"] != want {
			t.Errorf("%q is exported as %q", evil[i], row["type"])
		}
	}
}

// many stores n events of one connection, in groups of 1000.
func many(r *rig, n int) {
	for i := 0; i < n; i += 1000 {
		var group []eventstore.Event
		for j := i; j < min(n, i+1000); j++ {
			at := time.Duration(j) * time.Second
			group = append(group, r.event(at, webhook(fmt.Sprint(j), "sync.failed", day.Add(at).Format(time.RFC3339), "c", `{"error":{"code":"X","message":"`+strings.Repeat("m", 200)+`"}}`)))
		}
		r.add(group...)
	}
}

// An export of many rows is in order, of one moment, and takes no memory that grows with it.
func TestALongExport(t *testing.T) {
	r := newRig(t)
	const n = 12_000
	many(r, n)
	res, err := http.Get(r.server.URL + "/v1/connections/makini/c/events?format=jsonl&order=asc")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	dec := json.NewDecoder(res.Body)
	var before, after runtime.MemStats
	for i := range n {
		var e Entry
		if err := dec.Decode(&e); err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
		if !e.EffectiveAt.Equal(day.Add(time.Duration(i) * time.Second)) {
			t.Fatalf("row %d is of %s", i, e.EffectiveAt)
		}
		switch i {
		case 1000:
			runtime.GC()
			runtime.ReadMemStats(&before)
			// What comes now is not of the export's moment: before and behind its place.
			r.add(r.event(time.Hour, webhook("early", "sync.failed", day.Add(-time.Hour).Format(time.RFC3339), "c", "")),
				r.event(time.Hour, webhook("later", "sync.failed", day.Add(n*time.Second).Format(time.RFC3339), "c", "")))
		case n - 1:
			runtime.GC()
			runtime.ReadMemStats(&after)
		}
	}
	if dec.More() {
		t.Error("more rows than there were when the export began")
	}
	// The rows are some 600 bytes each: all of them would be 7 MB.
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 3<<20 {
		t.Errorf("the heap grew by %d bytes on the way", grown)
	}
}

// What breaks off in the middle does not end like something whole; what fails
// before the first byte is a problem like any other.
func TestAnExportThatFails(t *testing.T) {
	var fail atomic.Bool
	r := newRig(t, func(o *Options) {
		view := o.View
		o.View = func() (*projections.View, error) {
			if fail.Load() {
				return nil, errors.New("secret")
			}
			return view()
		}
	})
	many(r, 3000)
	const path = "/v1/connections/makini/c/events?format=csv"
	fail.Store(true)
	problemAt(t, r, "GET", path, 500, CodeInternal)
	fail.Store(false)

	// A row that cannot be read, two thousand rows on.
	damage(t, r, 2000)
	res, err := http.Get(r.server.URL + path + "&order=asc")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if res.StatusCode != 200 || !errors.Is(err, io.ErrUnexpectedEOF) || len(b) == 0 {
		t.Errorf("%d, %d bytes, then %v; want a stream that is cut", res.StatusCode, len(b), err)
	}
	if log := r.logged.String(); !strings.Contains(log, "list-connection-events") {
		t.Errorf("the log does not say it: %s", log)
	}
	problemAt(t, r, "GET", path+"&order=asc&from="+clock(2000*time.Second), 500, CodeIntegrity)
}

func TestAStoppingServerCutsExports(t *testing.T) {
	r := newRig(t)
	many(r, 2000)
	res, err := http.Get(narrow(t, r.Handler) + "/v1/connections/makini/c/events?format=jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	r.stop() // as a few seconds after Drain
	if b, err := io.ReadAll(res.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%d bytes, then %v; want a stream that is cut", len(b), err)
	}
	problemAt(t, r, "GET", "/v1/connections?format=csv", 503, CodeStopping)
	if got := r.logged.String(); got != "" {
		t.Errorf("logged: %s", got)
	}
}

// A client that does not read is given up, and holds neither a goroutine nor a view.
func TestAnExportThatNobodyReads(t *testing.T) {
	r := newRig(t)
	r.patience = 50 * time.Millisecond
	many(r, 2000)
	ended := make(chan struct{})
	url := narrow(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		defer close(ended)
		r.ServeHTTP(w, req)
	}))
	res, err := http.Get(url + "/v1/connections/makini/c/events?format=jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the handler waits for a client that does not read")
	}
	if got := r.logged.String(); got != "" {
		t.Errorf("logged: %s", got)
	}
}

// narrow serves h over connections that hold little of what a client has not read.
func narrow(t *testing.T, h http.Handler) (url string) {
	s := httptest.NewUnstartedServer(h)
	s.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if err := c.(*net.TCPConn).SetWriteBuffer(4096); err != nil {
			t.Error(err)
		}
		return ctx
	}
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

// damage spoils the row of the entry number i of connection c.
func damage(t *testing.T, r *rig, i int) {
	t.Helper()
	conn := timeline.ConnOf("makini", "c")
	first := append([]byte{'t'}, conn[:]...)
	it, err := r.db.Iter(first, append(slices.Clone(first), 0xff, 0xff))
	if err != nil {
		t.Fatal(err)
	}
	ok := it.First()
	for ; ok && i > 0; i-- {
		ok = it.Next()
	}
	if !ok {
		t.Fatal("no such row")
	}
	b := r.db.Batch()
	if err := errors.Join(b.Set(slices.Clone(it.Key()), []byte{0xff}), it.Close(), b.Commit(), b.Close()); err != nil {
		t.Fatal(err)
	}
}
