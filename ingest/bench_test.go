package ingest

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
)

type nowhere struct{}

func (nowhere) Append(context.Context, eventstore.Event) (eventstore.Receipt, error) {
	return eventstore.Receipt{Position: 1}, nil
}

// discard is a ResponseWriter that costs nothing.
type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkHandler is the handler's own share of a webhook of 600 B: no socket, no signature, no log.
func BenchmarkHandler(b *testing.B) {
	for name, body := range map[string][]byte{"identity": bytes.Repeat([]byte("x"), 600), "gzip": zip(b, bytes.Repeat([]byte("abcdef"), 100)), "zstd": zst(b, bytes.Repeat([]byte("abcdef"), 100))} {
		b.Run(name, func(b *testing.B) {
			h, err := New(Options{
				Log: nowhere{}, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
				Sources: []Source{{
					Name: "makini", MaxBody: 1 << 20, Headers: []string{"x-request-id"},
					Verify: func(providers.Request, time.Time) (string, error) { return "none", nil },
				}},
			})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				r := httptest.NewRequest("POST", "/in/makini", nil)
				r.Header = http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {"1"}, "User-Agent": {"bench"}}
				if name != "identity" {
					r.Header.Set("Content-Encoding", name)
				}
				r.ContentLength = int64(len(body))
				src := bytes.NewReader(body)
				r.Body = io.NopCloser(src)
				w := discard{http.Header{}}
				for pb.Next() {
					src.Reset(body)
					h.ServeHTTP(w, r)
				}
			})
		})
	}
}
