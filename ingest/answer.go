package ingest

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strconv"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// outcome is how a request ended. Each has a row in answers.
type outcome int

const (
	stored outcome = iota
	storedUndecoded
	noSignature
	malformedSignature
	badSignature
	outsideWindow
	keysUnavailable
	unknownSource
	notPost
	tooLarge
	tooManyHeaders
	unknownEncoding
	interrupted
	slowBody
	busy
	diskLow
	shuttingDown
	unavailable
	numOutcomes
)

// answer is what one outcome says to the sender, and to the metric.
type answer struct {
	// label is the value of the metric's label "outcome".
	label  string
	status int
	// code is the stable word for programs, detail the sentence for people.
	code, detail string
	// retryAfter is in seconds; 0 leaves the header out.
	retryAfter int
}

// One answer for every reason of a 401: the reason helps an attacker as much as
// an operator, so it goes to the log and the metric alone.
const (
	codeUnauthorized   = "unauthorized"
	detailUnauthorized = "The request does not prove that it comes from this source's sender."
	codeUnavailable    = "unavailable"
	detailUnavailable  = "The event could not be stored just now. Send it again."
)

var answers = [numOutcomes]answer{
	stored:             {label: "stored", status: 200},
	storedUndecoded:    {label: "stored_undecoded", status: 200},
	noSignature:        {label: "no_signature", status: 401, code: codeUnauthorized, detail: detailUnauthorized},
	malformedSignature: {label: "malformed_signature", status: 401, code: codeUnauthorized, detail: detailUnauthorized},
	badSignature:       {label: "bad_signature", status: 401, code: codeUnauthorized, detail: detailUnauthorized},
	outsideWindow:      {label: "outside_window", status: 401, code: codeUnauthorized, detail: detailUnauthorized},
	keysUnavailable:    {label: "keys_unavailable", status: 503, code: "keys_unavailable", detail: "Whether the request is authentic could not be told just now. Send it again.", retryAfter: 30},
	unknownSource:      {label: "unknown_source", status: 404, code: "unknown_source", detail: "No source of that name is configured."},
	notPost:            {label: "not_post", status: 405, code: "method_not_allowed", detail: "Webhooks are received by POST alone."},
	tooLarge:           {label: "too_large", status: 413, code: "too_large", detail: "The body, as sent or as decoded, is larger than this source accepts."},
	tooManyHeaders:     {label: "too_many_headers", status: 431, code: "too_many_headers", detail: "The request has more headers than are accepted."},
	unknownEncoding:    {label: "unknown_encoding", status: 415, code: "unknown_encoding", detail: "The Content-Encoding is not one of gzip, zstd and identity."},
	interrupted:        {label: "interrupted", status: 400, code: "interrupted", detail: "The body did not arrive whole."},
	slowBody:           {label: "slow_body", status: 503, code: "slow_body", detail: "The body did not arrive in time. Send it again.", retryAfter: 5},
	busy:               {label: "busy", status: 503, code: "busy", detail: "Too much is waiting to be stored. Send it again.", retryAfter: 2},
	diskLow:            {label: "disk_low", status: 503, code: "disk_low", detail: "There is too little room to store events. Send it again.", retryAfter: 30},
	shuttingDown:       {label: "shutting_down", status: 503, code: "shutting_down", detail: "The server is shutting down. Send it again.", retryAfter: 5},
	unavailable:        {label: "unavailable", status: 503, code: codeUnavailable, detail: detailUnavailable, retryAfter: 5},
}

// Errors of reading and decoding a body.
var (
	errTooLarge = errors.New("body exceeds the limit")
	errBusy     = errors.New("too many bytes of bodies in flight")
)

// byError is the whole mapping from errors to outcomes; the first that matches
// counts. What matches none is trouble of ours.
var byError = []struct {
	err error
	out outcome
}{
	{providers.ErrNoSignature, noSignature},
	{providers.ErrMalformed, malformedSignature},
	{providers.ErrBadSignature, badSignature},
	{providers.ErrOutsideWindow, outsideWindow},
	{providers.ErrKeysUnavailable, keysUnavailable},
	{errTooLarge, tooLarge},
	{errBusy, busy},
	{eventstore.ErrTooLarge, tooLarge},
	{eventstore.ErrBusy, busy},
	{eventstore.ErrDiskLow, diskLow},
	{eventstore.ErrClosed, shuttingDown},
}

func outcomeOf(err error) outcome {
	for _, m := range byError {
		if errors.Is(err, m.err) {
			return m.out
		}
	}
	return unavailable
}

// outcomeOfRead is outcomeOf for an error of reading the request's body, where
// what is unknown is trouble of the sender's. A body that is too slow is
// 503 all the same: the machine that is slow may be ours.
func outcomeOfRead(err error) outcome {
	if out := outcomeOf(err); out != unavailable {
		return out
	}
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		return slowBody
	}
	return interrupted
}

// problem renders the answer as RFC 9457 asks.
func (a answer) problem() []byte {
	body, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Code   string `json:"code"`
		Detail string `json:"detail"`
	}{"about:blank", http.StatusText(a.status), a.status, a.code, a.detail})
	if err != nil {
		panic(err) // four constant strings and a number cannot fail to marshal
	}
	return append(body, '\n')
}

// header sets what the answer says beside its body.
func (a answer) header(h http.Header) {
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if a.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(a.retryAfter))
	}
	switch a.status {
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodPost)
	case http.StatusUnsupportedMediaType:
		h.Set("Accept-Encoding", "gzip, zstd")
	case http.StatusRequestEntityTooLarge, http.StatusServiceUnavailable:
		// A sender that is too big or one too many gives up its connection.
		h.Set("Connection", "close")
	}
}
