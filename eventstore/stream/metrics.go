package stream

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the tidemark_log_* metrics.
type metrics struct {
	registry prometheus.Registerer
	all      []prometheus.Collector

	publish  prometheus.Histogram
	groups   prometheus.Histogram
	appends  map[string]prometheus.Counter
	failures prometheus.Counter
	restarts prometheus.Counter
}

// outcomes are the values of the label outcome, so that each is there from the start.
var outcomes = []string{"stored", "busy", "disk_low", "closed", "too_large", "invalid", "unavailable", "cancelled"}

// newMetrics makes the metrics of the log and registers them if the options say where.
func newMetrics(l *Log) (*metrics, error) {
	m := &metrics{
		registry: l.opts.Metrics,
		publish: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tidemark_log_publish_seconds", Help: "Time from writing a commit group to its acknowledgement, repetitions included.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 17),
		}),
		groups: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tidemark_log_group_events", Help: "Events in a commit group.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 10),
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_log_publish_failures_total", Help: "Commit groups that were given up.",
		}),
		restarts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_log_restarts_total", Help: "Restarts of the embedded server inside the process.",
		}),
		appends: make(map[string]prometheus.Counter, len(outcomes)),
	}
	appends := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tidemark_log_appends_total", Help: "Events by what became of their append.",
	}, []string{"outcome"})
	for _, o := range outcomes {
		m.appends[o] = appends.WithLabelValues(o)
	}
	m.all = []prometheus.Collector{m.publish, m.groups, m.failures, m.restarts, appends}
	m.all = append(m.all, l.gauges()...)
	return m, m.register()
}

// gauges read the log when they are scraped; what the stream holds is as of the last look.
func (l *Log) gauges() []prometheus.Collector {
	gauge := func(name, help string, value func(Stats) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			s := *l.survey.Load()
			s.Waiting, s.WaitingBytes = l.queue.size()
			return value(s)
		})
	}
	all := []prometheus.Collector{
		gauge("tidemark_log_waiting_events", "Events that wait for a commit group.", func(s Stats) float64 { return float64(s.Waiting) }),
		gauge("tidemark_log_waiting_bytes", "Bytes that wait for a commit group.", func(s Stats) float64 { return float64(s.WaitingBytes) }),
		gauge("tidemark_log_stream_bytes", "Bytes of the log in the server's store.", func(s Stats) float64 { return float64(s.Bytes) }),
		gauge("tidemark_log_head_position", "Position of the last commit group.", func(s Stats) float64 { return float64(s.Head) }),
		gauge("tidemark_log_missing_groups", "Commit groups that the server lost: damage.", func(s Stats) float64 { return float64(s.Missing) }),
		gauge("tidemark_log_copies", "Servers that keep the log and are up.", func(s Stats) float64 { return float64(s.Copies) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tidemark_log_healthy", Help: "1 while events can be stored.",
		}, func() float64 {
			if l.Health() != nil {
				return 0
			}
			return 1
		}),
	}
	if l.disk != nil {
		all = append(all,
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "tidemark_log_disk_free_bytes", Help: "Free space under the embedded server.",
			}, func() float64 { l.disk.refresh(); return float64(l.disk.free.Load()) }),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "tidemark_log_disk_low_water_bytes", Help: "Free space below which appends are refused.",
			}, func() float64 { return float64(max(l.disk.mark, 0)) }))
	}
	return all
}

// register registers all metrics or none.
func (m *metrics) register() error {
	if m.registry == nil {
		return nil
	}
	for i, c := range m.all {
		if err := m.registry.Register(c); err != nil {
			m.all = m.all[:i]
			m.unregister()
			return err
		}
	}
	return nil
}

// unregister takes the metrics out again, so that the log can be reopened with the same registry.
func (m *metrics) unregister() {
	if m == nil || m.registry == nil {
		return
	}
	for _, c := range m.all {
		m.registry.Unregister(c)
	}
}

// appended counts an append.
func (m *metrics) appended(err error) { m.appends[outcome(err)].Inc() }

// published takes note of what became of a group.
func (l *Log) published(start time.Time, events, bytes int, err error) {
	now := l.opts.Now()
	turned := l.health.record(now, err)
	if err != nil {
		l.metrics.failures.Inc()
		if turned { // the metric counts the rest
			l.opts.Logger.Warn("a commit group was given up", slog.Any("events", events), slog.Any("error", err))
		}
		return
	}
	if l.disk != nil {
		l.disk.wrote(bytes)
	}
	l.metrics.publish.Observe(now.Sub(start).Seconds())
	l.metrics.groups.Observe(float64(events))
}
