package projections

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// Metrics counts what runners do. One per process.
type Metrics struct {
	events    *prometheus.CounterVec
	batches   prometheus.Counter
	integrity prometheus.Gauge
}

// NewMetrics registers the projections' metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_projection_events_total", Help: "Events applied, by what became of them."}, []string{"fate"}),
		batches: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_projection_batches_total", Help: "Batches applied."}),
		integrity: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tidemark_projection_integrity_failure", Help: "1 while the projection is stopped because the log or its directory is damaged."}),
	}
	reg.MustRegister(m.events, m.batches, m.integrity)
	return m
}

func (m *Metrics) orNone() *Metrics {
	if m == nil {
		return NewMetrics(prometheus.NewRegistry())
	}
	return m
}

func (m *Metrics) applied(before, after Checkpoint) {
	m.batches.Inc()
	m.events.WithLabelValues(Placed.String()).Add(float64(after.Placed - before.Placed))
	m.events.WithLabelValues(Duplicate.String()).Add(float64(after.Duplicates - before.Duplicates))
	m.events.WithLabelValues(Quarantined.String()).Add(float64(after.Quarantined - before.Quarantined))
}

func (m *Metrics) failed(err error) {
	if errors.Is(err, eventstore.ErrIntegrity) {
		m.integrity.Set(1)
	}
}

// pause waits a moment before the log is asked again.
func pause(ctx context.Context) error {
	t := time.NewTimer(200 * time.Millisecond)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
