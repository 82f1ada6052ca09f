package main

import (
	"net/http"
	"time"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// keyTransport is what a source's verifier fetches its sender's public keys through; nil
// where the definition needs none. It honours the environment's proxy and follows no
// redirect: a transport does not. How long a fetch may take, and how often one may be
// made, the verifier bounds.
func keyTransport(d *providers.Definition) http.RoundTripper {
	if d.Scheme() != "jwt" {
		return nil
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		ForceAttemptHTTP2:      true,
		MaxConnsPerHost:        4,
		MaxIdleConnsPerHost:    1,
		MaxResponseHeaderBytes: 64 << 10,
		IdleConnTimeout:        30 * time.Second,
	}
}
