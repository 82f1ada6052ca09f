package ingest

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// unknownLabel stands for every source that is not configured: what a stranger
// puts into a URL never becomes a label.
const unknownLabel = "(unknown)"

type metrics struct {
	requests *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	seconds  prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, b *bodies) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_ingest_requests_total",
			Help: "Webhook requests by source and by how they ended.",
		}, []string{"source", "outcome"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_ingest_body_bytes_total",
			Help: "Bytes of stored bodies, decoded, by source.",
		}, []string{"source"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tidemark_ingest_seconds",
			Help:    "Time from the arrival of a webhook's headers to its 200, of those that were stored.",
			Buckets: []float64{.0002, .0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10},
		}),
	}
	held := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tidemark_ingest_in_flight_bytes",
		Help: "Memory held by bodies that are being received or stored.",
	}, func() float64 { return float64(b.held.Load()) })
	for _, c := range []prometheus.Collector{m.requests, m.bytes, m.seconds, held} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics of ingest: %w", err)
		}
	}
	return m, nil
}
