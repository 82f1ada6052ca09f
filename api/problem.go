package api

// Problem is an RFC 9457 answer, application/problem+json. Code is stable;
// Title and Detail are for people and may change.
type Problem struct {
	Type      string           `json:"type" doc:"Always about:blank"`
	Title     string           `json:"title"`
	Status    int              `json:"status"`
	Code      string           `json:"code" doc:"What happened, as a stable word"`
	Detail    string           `json:"detail,omitempty" doc:"What happened, for people"`
	RequestID string           `json:"request_id,omitempty" doc:"Names the request in the server's log"`
	Errors    []ParameterError `json:"errors,omitempty" doc:"Which parameters, and what is wrong with them"`
	// Checks is set for a server that is not ready.
	Checks map[string]string `json:"checks,omitempty" doc:"Of a server that is not ready: ok, or the reason, for each part"`
}

// ParameterError says what is wrong with one parameter of a request.
type ParameterError struct {
	Parameter string `json:"parameter"`
	Detail    string `json:"detail"`
}

// Codes of problems.
const (
	CodeBadRequest       = "bad_request"        // 400
	CodeUnknownParameter = "unknown_parameter"  // 400: errors names the nearest known one
	CodeInvalidParameter = "invalid_parameter"  // 400: errors says what is wrong
	CodeInvalidCursor    = "invalid_cursor"     // 400: not a cursor, or one of another query
	CodeUnauthorized     = "unauthorized"       // 401
	CodeForbidden        = "forbidden"          // 403
	CodeNotFound         = "not_found"          // 404: no such connection or event
	CodeUnknownPath      = "unknown_path"       // 404: nothing answers at that path
	CodeMethodNotAllowed = "method_not_allowed" // 405: see the header Allow
	CodeMisdirected      = "misdirected"        // 421: a Host that is not of this machine
	CodeInternal         = "internal"           // 500: the log has the rest, under request_id
	CodeIntegrity        = "integrity_failure"  // 500: the log or the projections are damaged
	CodeLogUnavailable   = "log_unavailable"    // 503: the log does not answer
	CodeTimeout          = "timeout"            // 503: the answer took too long
	CodeNotReady         = "not_ready"          // 503: see checks
)

// Error returns the problem in words.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Detail
}
