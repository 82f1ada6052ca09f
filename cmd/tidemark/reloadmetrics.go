package main

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// reloadMetrics tell how reading the configuration anew goes.
type reloadMetrics struct {
	total    *prometheus.CounterVec
	failing  prometheus.Gauge
	last     prometheus.Gauge
	restarts prometheus.Gauge
}

// newReloadMetrics registers the metrics. now is the time of the start, which has read everything.
func newReloadMetrics(reg prometheus.Registerer, now time.Time) (*reloadMetrics, error) {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m := &reloadMetrics{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidemark_reload_total",
			Help: "How often the configuration was read anew, by what came of it: applied, unchanged or refused."}, []string{"result"}),
		failing:  gauge("tidemark_reload_failing", "1 while what stands in the configuration's files is not in force, for it is wrong or the projections are damaged, else 0."),
		last:     gauge("tidemark_reload_last_success_timestamp_seconds", "When the configuration was last read and in order."),
		restarts: gauge("tidemark_reload_needs_restart", "Number of settings in the configuration that need a restart to come into force."),
	}
	for _, result := range []string{"applied", "unchanged", "refused"} {
		m.total.WithLabelValues(result)
	}
	m.last.Set(seconds(now))
	return m, errors.Join(reg.Register(m.total), reg.Register(m.failing), reg.Register(m.last), reg.Register(m.restarts))
}

func (m *reloadMetrics) good(unchanged bool, now time.Time) {
	result := "applied"
	if unchanged {
		result = "unchanged"
	}
	m.total.WithLabelValues(result).Inc()
	m.failing.Set(0)
	m.last.Set(seconds(now))
}

func (m *reloadMetrics) refused() {
	m.total.WithLabelValues("refused").Inc()
	m.failing.Set(1)
}

func seconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }
