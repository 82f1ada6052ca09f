package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/projections"
)

// Problem is an RFC 9457 answer, application/problem+json. Code is stable;
// Title and Detail are for people and may change.
type Problem struct {
	Type      string           `json:"type" doc:"Always about:blank"`
	Title     string           `json:"title" doc:"The status in words"`
	Status    int              `json:"status"`
	Code      string           `json:"code" doc:"What happened, as a stable word"`
	Detail    string           `json:"detail,omitempty" doc:"What happened, for people"`
	RequestID string           `json:"request_id,omitempty" doc:"Names the request in the server's log; also in the header X-Request-Id"`
	Errors    []ParameterError `json:"errors,omitempty" nullable:"false" doc:"Which parameters, and what is wrong with them"`
	// Checks is set for a server that is not ready.
	Checks map[string]string `json:"checks,omitempty" doc:"Of a server that is not ready: ok, or the reason, for each part"`
	// Rebuild is set where one is in the way.
	Rebuild *Rebuild `json:"rebuild,omitempty" doc:"The rebuild that is in the way"`
}

// ParameterError says what is wrong with one parameter of a request.
type ParameterError struct {
	Parameter string `json:"parameter"`
	Detail    string `json:"detail"`
}

const statusClientGone = 499

// problems is what the errors of the packages below mean to a client: the
// first row that an error is. Their own words stay inside.
var problems = []struct {
	err    error
	status int
	code   string
	detail string
}{
	{context.Canceled, statusClientGone, CodeClientGone, "The client went away."},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, CodeTimeout, "The answer took too long. Try again."},
	{projections.ErrNotFound, http.StatusNotFound, CodeNotFound, "There is no such thing, or it is not applied yet."},
	{eventstore.ErrUnavailable, http.StatusServiceUnavailable, CodeLogUnavailable, "The log does not answer. GET /readyz says more."},
	{eventstore.ErrIntegrity, http.StatusInternalServerError, CodeIntegrity, "The log or what was derived from it is damaged. GET /readyz and the server's log say more."},
	{projections.ErrDamaged, http.StatusInternalServerError, CodeIntegrity, "What was derived from the log is damaged. GET /readyz and the server's log say more."},
	// The projections name no position that they did not read: one that is gone was lost.
	{eventstore.ErrNotFound, http.StatusInternalServerError, CodeIntegrity, "The log has lost an event that was read before. GET /readyz and the server's log say more."},
}

// problemOf returns what a client may know of an error.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	for _, row := range problems {
		if errors.Is(err, row.err) {
			return &Problem{Status: row.status, Code: row.code, Detail: row.detail}
		}
	}
	return &Problem{Status: http.StatusInternalServerError, Code: CodeInternal, Detail: "internal error"}
}

// complete fills in what follows from the rest.
func (p *Problem) complete(ctx context.Context) *Problem {
	p.Type, p.RequestID = "about:blank", requestID(ctx)
	if p.Title = http.StatusText(p.Status); p.Title == "" {
		p.Title = "Client Closed Request"
	}
	return p
}

// Error returns the problem in words.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Detail
}

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns the media type of a problem that is written as ct.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders returns the headers that go with the problem.
func (p *Problem) GetHeaders() http.Header {
	if p.Status == http.StatusServiceUnavailable {
		return http.Header{"Retry-After": {"5"}}
	}
	return nil
}

// writeProblem answers with a problem where huma does not.
func writeProblem(w http.ResponseWriter, r *http.Request, p *Problem) {
	h := w.Header()
	h.Set("Content-Type", p.ContentType(""))
	for name, values := range p.GetHeaders() {
		h[name] = values
	}
	w.WriteHeader(p.Status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(p.complete(r.Context())) // a client that is gone needs no answer
}
