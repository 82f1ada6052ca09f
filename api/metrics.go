package api

import "github.com/prometheus/client_golang/prometheus"

// metrics measures the API itself. One per process.
type metrics struct {
	seconds  *prometheus.HistogramVec
	watchers prometheus.Gauge
	dropped  prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "tidemark_api_request_seconds", Help: "Time to answer a request, by route and status.",
		// A state takes tens of microseconds: the promise is below a millisecond, so the buckets are fine there.
		Buckets: []float64{.00005, .0001, .00025, .0005, .00075, .001, .002, .005, .01, .025, .1, .5, 2.5},
	}, []string{"route", "status"}),
		watchers: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tidemark_api_watchers", Help: "Clients of /v1/watch."}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_api_watchers_dropped_total", Help: "Clients of /v1/watch that did not keep up and were cut off."}),
	}
	reg.MustRegister(m.seconds, m.watchers, m.dropped)
	return m
}
