package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/projections"
)

// benchConnections is how many connections the benchmarks' directory holds;
// bench/ measures 100,000 over HTTP.
const benchConnections = 20_000

// filled is a server whose directory holds benchConnections of five events each.
func filled(b *testing.B) *rig {
	b.Helper()
	r := newRig(b)
	kinds := []string{"connection.connected", "sync.started", "sync.failed", "sync.succeeded", "connection.auth_required"}
	for round, kind := range kinds {
		var group []eventstore.Event
		for i := range benchConnections {
			at := time.Duration(round)*time.Hour + time.Duration(i)*time.Millisecond
			id := fmt.Sprintf("conn_%06d", i)
			group = append(group, r.event(at, webhook(id+kind, kind, day.Add(at).Format(time.RFC3339Nano), id, `{"reason":"credentials expired"}`)))
			if len(group) == 1000 {
				r.add(group...)
				group = group[:0]
			}
		}
	}
	return r
}

// discard takes an answer and counts it if it is a 200.
type discard struct {
	header http.Header
	ok     bool
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(s int)   { d.ok = s == http.StatusOK }
func (d *discard) Write(p []byte) (int, error) {
	return len(p), nil
}

// ask calls a handler as the server would, b.N times, with paths drawn from all
// connections, and reports the 99th percentile beside the mean.
func ask(b *testing.B, h http.Handler, path func(i int) string) {
	took := make([]time.Duration, 0, b.N)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		req := httptest.NewRequest("GET", path(i*7919%benchConnections), nil)
		w := &discard{header: http.Header{}}
		began := time.Now()
		h.ServeHTTP(w, req)
		took = append(took, time.Since(began))
		if !w.ok {
			b.Fatalf("%s is not answered", req.URL)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
}

func BenchmarkGetState(b *testing.B) {
	r := filled(b)
	ask(b, r.Handler, func(i int) string { return fmt.Sprintf("/v1/connections/makini/conn_%06d", i) })
}

// BenchmarkGetStateBelowHTTP is what of BenchmarkGetState the projections take.
func BenchmarkGetStateBelowHTTP(b *testing.B) {
	r := filled(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		v, err := projections.NewView(r.db)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := v.Connection("makini", fmt.Sprintf("conn_%06d", i*7919%benchConnections)); err != nil {
			b.Fatal(err)
		}
		if err := v.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkListConnections(b *testing.B) {
	r := filled(b)
	ask(b, r.Handler, func(i int) string { return fmt.Sprintf("/v1/connections?q=conn_%03d", i/1000) })
}

func BenchmarkTimeline(b *testing.B) {
	r := filled(b)
	ask(b, r.Handler, func(i int) string { return fmt.Sprintf("/v1/connections/makini/conn_%06d/events", i) })
}

func BenchmarkLivez(b *testing.B) {
	r := newRig(b)
	ask(b, r.Handler, func(int) string { return "/livez" })
}
