package api

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// humaConfig describes the API. Nothing of huma's is served that is not asked
// for here: no page that loads its program from elsewhere, no links to schemas.
func humaConfig(o *Options) huma.Config {
	format := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: json.Unmarshal}
	c := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Tidemark", Version: o.Version,
				Description: "The state of integration connections, and how it came about. Times are RFC 3339 with nanoseconds, UTC. " +
					"Ids of events are ULIDs. Connection ids are arbitrary text, percent-encoded in paths. Cursors stay valid while events arrive. " +
					"Fields may be added to answers; none is renamed.",
				License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Tags: []*huma.Tag{
				{Name: "connections", Description: "What state connections are in, and how they got there"},
				{Name: "events", Description: "Single events and their exact bytes"},
				{Name: "rebuilds", Description: "The projections made anew from the log, compared with those that serve, and put in their place"},
				{Name: "server", Description: "The server itself"},
			},
			Components: &huma.Components{
				Schemas:         huma.NewMapRegistry("#/components/schemas/", schemaName),
				SecuritySchemes: map[string]*huma.SecurityScheme{"key": {Type: "http", Scheme: "bearer", Description: "An API key. A server on a loopback address may have none."}},
			},
		},
		Formats:       map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat: "application/json",
	}
	c.AllowAdditionalPropertiesByDefault = true
	return c
}

// addMetrics serves what the gatherer gives.
func (h *Handler) addMetrics() {
	serve := promhttp.HandlerFor(h.o.Gatherer, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
	h.addPage("metrics", "/metrics", "Metrics for Prometheus", "text/plain", serve.ServeHTTP)
}

// addDocs serves the OpenAPI document and the page about it.
func (h *Handler) addDocs() {
	h.addPage("openapi", "/openapi.json", "This document", "application/json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(h.spec) // a client that is gone needs no answer
	})
	h.addPage("docs", "/docs", "This document for people", "text/html", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", docsPolicy)
		_, _ = w.Write(h.docs) // a client that is gone needs no answer
	})
}

// addPage adds an operation that has no type.
func (h *Handler) addPage(id, path, summary, mediaType string, serve http.HandlerFunc) {
	h.huma.OpenAPI().AddOperation(&huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Tags: []string{"server"},
		Responses: map[string]*huma.Response{
			"200":     {Description: "OK", Content: map[string]*huma.MediaType{mediaType: {}}},
			"default": h.problemResponse(),
		},
	})
	h.routes.HandleFunc("GET "+path, serve)
}

// describe writes the OpenAPI document and its page, once all operations are there.
func (h *Handler) describe() {
	doc := h.huma.OpenAPI()
	for path, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post} {
			if op != nil && path != "/livez" && path != "/readyz" {
				op.Security = []map[string][]string{{}, {"key": {}}}
			}
		}
	}
	spec, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		panic(fmt.Sprintf("api: the OpenAPI document cannot be written: %v", err))
	}
	h.spec = append(spec, '\n')
	if h.docs, err = docsPage(doc); err != nil {
		panic(fmt.Sprintf("api: the page of the documentation cannot be written: %v", err))
	}
}
