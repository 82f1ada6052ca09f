package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/generations"
)

// Options says what the API stands on.
type Options struct {
	// View returns a view of the directory that serves; the API closes it.
	View func() (*projections.View, error)
	// Log is where bodies are read from.
	Log eventstore.Reader
	// Hub tells what changes, for /v1/watch; nil where nothing does.
	Hub *projections.Hub
	// Rebuilds makes the projections anew; nil where nothing does.
	Rebuilds *generations.Set
	// Ready tells how each part of the server does, for /readyz; nil for no parts.
	Ready func(context.Context) []Component
	// Pending tells what waits to be stored; nil for nothing.
	Pending func() Pending
	// Sources returns the configured sources, shown in the counts before they have a
	// connection; nil for none.
	Sources func() []string
	// Access, if not nil, lets through what may read; without it everything may.
	// /livez and /readyz are not behind it.
	Access func(http.Handler) http.Handler
	// Admin, if not nil, lets through what may change something; without it
	// everything may that comes from no page of another site.
	Admin func(http.Handler) http.Handler
	// OnlyLocal refuses requests whose Host is not a name of this machine's
	// loopback. It is for a server without keys: a page in a browser that makes its own name
	// point to 127.0.0.1, or a tunnel that was meant for ingest, reads nothing then.
	OnlyLocal bool
	// Version is the program's version, for the OpenAPI document.
	Version string

	// Now is the clock.
	Now func() time.Time
	// Logger hears of internal errors; nil for nobody.
	Logger *slog.Logger
	// Registerer takes the API's own metrics; nil for none.
	Registerer prometheus.Registerer
	// Gatherer gives what /metrics shows; nil for nothing.
	Gatherer prometheus.Gatherer
}

// Component is one part of the server.
type Component struct {
	// Name is a stable word, such as "acceptance" or "projection".
	Name string
	// Err is why the part does not work, nil while it does. Its words are shown to
	// anybody who asks /readyz.
	Err error
	// Warning is what an operator should see to of a part that works; "" for nothing. It is
	// shown like Err, and the server is ready all the same.
	Warning string
}

// Handler answers the API's requests. Safe for concurrent use.
type Handler struct {
	o       Options
	routes  routes
	huma    huma.API
	metrics *metrics
	spec    []byte // the OpenAPI document
	docs    []byte // the page about it
	maxScan int

	patience time.Duration // what a client is given for each write of a long answer
	watching watching
	scans    chan struct{} // bounds how many watches look for what they missed at once
	trials   chan struct{} // bounds how many definitions are tried at once
	// draining ends watches, and stopped everything that takes long.
	draining, stopped context.Context
	drain, stop       context.CancelFunc
}

// New returns the API's handler. It must see paths as they were sent: in front
// of it, choose by prefix and not with an http.ServeMux, which redirects
// paths with ".." and "//" in them, and those may belong to a connection's id.
// It panics where the API's own description is inconsistent.
func New(o Options) *Handler {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Gatherer == nil {
		o.Gatherer = prometheus.NewRegistry()
	}
	if o.Ready == nil {
		o.Ready = func(context.Context) []Component { return nil }
	}
	if o.Sources == nil {
		o.Sources = func() []string { return nil }
	}
	if o.Pending == nil {
		o.Pending = func() Pending { return Pending{} }
	}
	if o.Access == nil {
		o.Access = func(next http.Handler) http.Handler { return next }
	}
	if o.Admin == nil {
		o.Admin = o.Access
	}
	h := &Handler{o: o, metrics: newMetrics(o.Registerer), maxScan: maxScan,
		patience: 20 * time.Second, watching: watchTimes, scans: make(chan struct{}, 2), trials: make(chan struct{}, 1)}
	h.draining, h.drain = context.WithCancel(context.Background())
	h.stopped, h.stop = context.WithCancel(context.Background())
	h.routes.unknown = http.HandlerFunc(unknownPath)
	h.huma = humago.New(&h.routes, humaConfig(&o))
	h.huma.UseMiddleware(func(ctx huma.Context, next func(huma.Context)) {
		if p := checkQuery(ctx.Operation(), ctx.URL().RawQuery); p != nil {
			r, w := humago.Unwrap(ctx)
			writeProblem(w, r, p)
			return
		}
		next(ctx)
	})
	h.addConnections()
	h.addTimeline()
	h.addExplain()
	h.addCorrections()
	h.addHistory()
	h.addDiff()
	h.addWatch()
	h.addEvents()
	h.addQuarantine()
	h.addRebuilds()
	h.addStats()
	h.addMetrics()
	h.addDocs()
	h.guard()
	h.addHealth()
	h.describe()
	return h
}

// guard puts Access before the routes so far and before unknown paths, and Admin
// before those that change something.
func (h *Handler) guard() {
	for i := range h.routes.list {
		r := &h.routes.list[i]
		if r.method == http.MethodGet {
			r.handler = h.o.Access(r.handler)
		} else {
			r.handler = h.admin(r.handler)
		}
	}
	h.routes.unknown = h.o.Access(h.routes.unknown)
}
