package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// Options is what a Handler needs.
type Options struct {
	// Log is where events go.
	Log eventstore.Appender
	// Sources are the entry points.
	Sources []Source
	// Now is the clock of received_at and of the replay window.
	Now func() time.Time
	// Logger hears of what was refused and why, at a bounded rate.
	Logger *slog.Logger
	// Metrics receives tidemark_ingest_*.
	Metrics prometheus.Registerer
	// StoreTimeout is how long a request waits for a log that does not bound an append
	// itself. 0 trusts the log, as that of eventstore/stream can be trusted; a
	// second timer for each request would be a twentieth of all that ingest costs.
	StoreTimeout time.Duration
	// InFlight is the most bytes that bodies may hold at once; 0 for 64 MiB.
	InFlight int64
}

// Source is one entry point, /in/{Name}.
type Source struct {
	// Name is [a-z0-9] then [a-z0-9_-], at most 64 bytes.
	Name string
	// Verify proves who sent a request: providers.(*Verifier).Verify.
	Verify func(r providers.Request, now time.Time) (verified string, err error)
	// Headers are kept beside the body: those that the definition reads
	// (providers.(*Definition).KeepHeaders) and those that the operator lists. Content-Type is always kept.
	Headers []string
	// MaxBody is the largest body in bytes, as sent and as decoded.
	MaxBody int64
	// Redact, if not nil, replaces fields of a body, appending the body to dst, and says how many:
	// providers.(*Redactor).Redact. It is called with what is decoded and verified.
	Redact func(dst, body []byte, limit int, header func(name string) string) (out []byte, fields int)
}

// Handler answers POST /in/{source} and /in/{source}/{token}. Safe for
// concurrent use.
type Handler struct {
	log      eventstore.Appender
	table    atomic.Pointer[Table] // the sources in force
	now      func() time.Time
	timeout  time.Duration
	bodies   *bodies
	metrics  *metrics
	logger   *slog.Logger
	unknown  *source // stands for every source that is not configured
	problems [numOutcomes][]byte
	draining atomic.Bool
}

// source is a Source with what is worked out once.
type source struct {
	name      string
	verify    func(providers.Request, time.Time) (string, error)
	headers   []allowed
	maxBody   int64
	redact    func(dst, body []byte, limit int, header func(name string) string) ([]byte, int)
	decoders  *decoders
	limit     *rate.Limiter // of what is said about the source
	unsaid    atomic.Int64
	storedOne prometheus.Counter
	bytes     prometheus.Counter
}

// New returns a Handler. The error names the source that is wrong.
func New(o Options) (*Handler, error) {
	h := &Handler{
		log: o.Log, now: o.Now, logger: o.Logger, timeout: o.StoreTimeout,
		bodies: &bodies{most: o.InFlight},
	}
	if h.bodies.most == 0 {
		h.bodies.most = 64 << 20
	}
	var err error
	if h.metrics, err = newMetrics(o.Metrics, h.bodies); err != nil {
		return nil, err
	}
	sources, err := h.Table(o.Sources)
	if err != nil {
		return nil, err
	}
	h.Replace(sources)
	h.unknown = h.newSource(unknownLabel, Source{}, nil)
	for out, a := range answers {
		if a.status != http.StatusOK {
			h.problems[out] = a.problem()
		}
	}
	return h, nil
}

func (h *Handler) newSource(label string, s Source, headers []allowed) *source {
	return &source{
		name: label, verify: s.Verify, headers: headers, maxBody: s.MaxBody, redact: s.Redact,
		limit:     rate.NewLimiter(1, 10),
		storedOne: h.metrics.requests.WithLabelValues(label, answers[stored].label),
		bytes:     h.metrics.bytes.WithLabelValues(label),
	}
}

// Drain makes every request that begins from now on a 503, so that senders go
// elsewhere or try again while those under way are finished.
func (h *Handler) Drain() { h.draining.Store(true) }

// ServeHTTP answers one request by the contract's table.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := h.now()
	name, token := pathParts(r.URL)
	src := h.source(name)
	if src == nil {
		h.refuse(w, r, h.unknown, unknownSource, nil)
		return
	}
	id, out, err := h.receive(w, r, src, token)
	if out != stored && out != storedUndecoded {
		h.refuse(w, r, src, out, err)
		return
	}
	h.acknowledge(w, id)
	if out == stored {
		src.storedOne.Inc()
	} else {
		h.report(r, src, out, err)
	}
	h.metrics.seconds.Observe(h.now().Sub(began).Seconds())
}

// receive does everything between the source's name and the answer. The error
// is for the log: it explains the outcome where there is more to say.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request, src *source, token string) (id ulid.ULID, out outcome, why error) {
	if r.Method != http.MethodPost {
		return id, notPost, nil
	}
	if h.draining.Load() {
		return id, shuttingDown, nil
	}
	if len(r.Header) > maxHeaderNames {
		return id, tooManyHeaders, nil
	}
	enc, ok := contentEncoding(r.Header)
	if !ok {
		return id, unknownEncoding, nil
	}
	if r.ContentLength > src.maxBody {
		return id, tooLarge, nil
	}
	raw, err := h.bodies.get()
	if err != nil {
		return id, outcomeOf(err), err
	}
	reuse := true
	defer func() { h.bodies.put(raw, reuse) }()
	unwatch(r)
	if err := raw.fill(r.Body, r.ContentLength, src.maxBody); err != nil {
		return id, outcomeOfRead(err), err
	}

	received := h.now().UTC().Round(0)
	verified, err := src.verify(providers.Request{Header: r.Header, Token: token, Body: raw.b}, received)
	if err != nil {
		return id, outcomeOf(err), err
	}

	e := eventstore.Event{Source: src.name, ReceivedAt: received, Verified: verified, Headers: keep(src.headers, r.Header), Body: raw.b}
	out = stored
	if enc != identity && len(raw.b) > 0 {
		decoded, err := h.bodies.get()
		if err != nil {
			return id, outcomeOf(err), err
		}
		defer func() { h.bodies.put(decoded, reuse) }()
		err = src.decoders.decode(enc, raw.b, decoded, src.maxBody)
		switch {
		case err == nil:
			e.Body = decoded.b
		case errors.Is(err, errTooLarge) || errors.Is(err, errBusy):
			return id, outcomeOf(err), err
		default:
			// Authentic, and not what its encoding promises. The bytes are kept as
			// they came with the header that says so: the mapping will quarantine them.
			out, why = storedUndecoded, err
			e.Headers = append(e.Headers, eventstore.Header{Name: nameContentEncoding, Value: clean(r.Header.Get(nameContentEncoding))})
		}
	}
	if src.redact != nil {
		hashed, err := h.bodies.get()
		if err != nil {
			return id, outcomeOf(err), err
		}
		defer func() { h.bodies.put(hashed, reuse) }()
		if e.Body, e.Headers, err = src.replace(e.Body, e.Headers, hashed); err != nil {
			return id, outcomeOf(err), err
		}
	}
	if e.ID, err = newID(received); err != nil {
		return id, unavailable, err
	}
	// A sender that leaves meanwhile changes nothing: what came is stored.
	if err := h.append(context.WithoutCancel(r.Context()), e); err != nil {
		// A log that gave up waiting may still be writing these bytes.
		reuse = errors.Is(err, eventstore.ErrBusy) || errors.Is(err, eventstore.ErrDiskLow) ||
			errors.Is(err, eventstore.ErrTooLarge) || errors.Is(err, eventstore.ErrClosed)
		return id, outcomeOf(err), err
	}
	src.bytes.Add(float64(len(e.Body)))
	return e.ID, out, why
}

// append stores the event, or gives up after the store timeout if there is one.
func (h *Handler) append(ctx context.Context, e eventstore.Event) error {
	if h.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, h.timeout)
		defer cancel()
	}
	_, err := h.log.Append(ctx, e)
	return err
}

// newID returns a ULID for that instant: 48 bits of milliseconds, and 80 bits of the
// runtime's ChaCha8 generator, which needs no lock. It orders nothing; positions do.
func newID(t time.Time) (id ulid.ULID, err error) {
	if err := id.SetTime(uint64(t.UnixMilli())); err != nil {
		return id, fmt.Errorf("the clock says %v: %w", t, err)
	}
	hi, lo := rand.Uint32(), rand.Uint64()
	id[6], id[7] = byte(hi>>8), byte(hi)
	for i := range 8 {
		id[8+i] = byte(lo >> (8 * i))
	}
	return id, nil
}

// pathParts splits /in/{source} and /in/{source}/{token}. What is neither gives "".
func pathParts(u *url.URL) (name, token string) {
	rest, ok := strings.CutPrefix(u.EscapedPath(), "/in/")
	if !ok {
		return "", ""
	}
	name, token, _ = strings.Cut(rest, "/")
	token, err := url.PathUnescape(token)
	if err != nil {
		return "", ""
	}
	return name, token
}

// acknowledge writes the 200 that a sender may rely on.
func (h *Handler) acknowledge(w http.ResponseWriter, id ulid.ULID) {
	body := make([]byte, 0, len(`{"id":"`)+ulid.EncodedSize+len("\"}\n"))
	body = append(body, `{"id":"`...)
	body = body[:len(body)+ulid.EncodedSize]
	// The buffer has the size that it asks for, so it cannot fail.
	_ = id.MarshalTextTo(body[len(body)-ulid.EncodedSize:])
	body = append(body, "\"}\n"...)
	w.Header()["Content-Type"] = jsonType
	_, _ = w.Write(body) // a sender that is gone sends again, and is answered then
}

var jsonType = []string{"application/json"}

// refuse writes an answer that is no 200.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, src *source, out outcome, why error) {
	h.report(r, src, out, why)
	a := answers[out]
	if r.Header.Get("Expect") == "" {
		// Most senders read no answer before they have sent everything, and
		// would take a connection that closes under them for a broken network.
		_, _ = io.CopyN(io.Discard, r.Body, maxDrain)
	}
	a.header(w.Header())
	w.WriteHeader(a.status)
	_, _ = w.Write(h.problems[out]) // a sender that is gone needs no answer
}

// maxDrain bounds what is read and thrown away of a body that is refused.
const maxDrain = 16 << 20
