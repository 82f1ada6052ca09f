package api

// Codes of problems. They are stable; meanings says what they mean.
const (
	CodeBadRequest        = "bad_request"
	CodeUnknownParameter  = "unknown_parameter"
	CodeInvalidParameter  = "invalid_parameter"
	CodeInvalidCursor     = "invalid_cursor"
	CodeUnauthorized      = "unauthorized"
	CodeForbidden         = "forbidden"
	CodeNotFound          = "not_found"
	CodeNotKnownThen      = "not_known_then"
	CodeUnknownPath       = "unknown_path"
	CodeMethodNotAllowed  = "method_not_allowed"
	CodeMisdirected       = "misdirected"
	CodeClientGone        = "client_gone"
	CodeInternal          = "internal"
	CodeIntegrity         = "integrity_failure"
	CodeLogUnavailable    = "log_unavailable"
	CodeTimeout           = "timeout"
	CodeNotReady          = "not_ready"
	CodeCrossOrigin       = "cross_origin"
	CodeTooLarge          = "too_large"
	CodeMediaType         = "unsupported_media_type"
	CodeRebuildBusy       = "rebuild_busy"
	CodeRebuildState      = "rebuild_state"
	CodeNoPrevious        = "no_previous_generation"
	CodeInvalidDefinition = "invalid_definition"
	CodeStopping          = "stopping"
	CodeTooSlow           = "too_slow"
)

// codeMeaning is one row of the page about problems.
type codeMeaning struct {
	Status  int
	Code    string
	Meaning string
}

// meanings are all codes, as the page shows them.
var meanings = []codeMeaning{
	{400, CodeBadRequest, "The query string cannot be read."},
	{400, CodeUnknownParameter, "A query parameter that the path does not know. errors names the nearest known one."},
	{400, CodeInvalidParameter, "A parameter's value is not one it can have. errors says what it can be."},
	{400, CodeInvalidCursor, "The cursor is not one that this query gave: the filters changed, or it was cut short. Begin anew without it."},
	{400, CodeInvalidDefinition, "The provider definition cannot be used. detail says in which line, and why."},
	{401, CodeUnauthorized, "No API key, or one that is not known. Send Authorization: Bearer KEY."},
	{403, CodeForbidden, "The API key is known, and its scope does not allow this."},
	{403, CodeCrossOrigin, "A page of another site asked for a change in somebody's browser."},
	{404, CodeNotFound, "There is no such connection or event, or what was stored of it is not applied yet."},
	{404, CodeNotKnownThen, "The connection is known, but nothing of it had happened, or had been received, at the instant of valid_at or known_at."},
	{404, CodeUnknownPath, "Nothing answers at the path."},
	{405, CodeMethodNotAllowed, "The path does not answer this method. The header Allow lists those it answers."},
	{409, CodeRebuildBusy, "A rebuild is under way or waits for a decision: rebuild has it. Wait, or promote or cancel it."},
	{409, CodeRebuildState, "The rebuild is past that, or not there yet. detail says how far it is."},
	{409, CodeNoPrevious, "There is no generation before the serving one to roll back to."},
	{413, CodeTooLarge, "The request's body is too long."},
	{415, CodeMediaType, "The request's body is not application/json."},
	{421, CodeMisdirected, "A server without API keys was asked under a name that is not of its own machine."},
	{statusClientGone, CodeClientGone, "The client went away before the answer. Seen in metrics alone."},
	{500, CodeInternal, "A fault of the server. Its log has the rest under the request's id."},
	{500, CodeIntegrity, "The log, or what was derived from it, is damaged or lost a part. GET /readyz and the server's log say which."},
	{503, CodeLogUnavailable, "The log does not answer. Try again after Retry-After."},
	{503, CodeTimeout, "The answer took too long. Try again after Retry-After."},
	{503, CodeNotReady, "A part of the server does not work. checks has the reason."},
	{503, CodeStopping, "The server is stopping. Try again after Retry-After."},
	{503, CodeTooSlow, "Of a watch: changes came faster than they were read. Come back with the last id."},
}
