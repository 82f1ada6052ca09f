package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
)

// logTimeout bounds the time that one answer waits for the log.
const logTimeout = 5 * time.Second

// Event is one webhook as it was received, and what became of it.
type Event struct {
	ID         string    `json:"id" doc:"The event's id, a ULID"`
	Source     string    `json:"source"`
	ReceivedAt time.Time `json:"received_at" doc:"Our clock at acceptance"`
	Verified   string    `json:"verified" doc:"How the sender proved itself: the scheme's name, or none"`
	Signed     bool      `json:"signed" doc:"Whether a signature over the body proved it; a token, a password or nothing says less: whoever knows the URL can have sent it"`
	Headers    []Header  `json:"headers" nullable:"false" doc:"The sender's headers that the source keeps"`
	Position   uint64    `json:"position" doc:"Place in the log"`
	Index      int       `json:"index" doc:"Place in the commit group at that position"`
	BodySize   int       `json:"body_size" doc:"Length of the body in bytes"`
	Raw        string    `json:"raw" doc:"Path of the body's bytes"`

	Fate  string   `json:"fate" enum:"placed,duplicate,quarantined" doc:"What became of it"`
	Flags []string `json:"flags" nullable:"false" enum:"late,clock_skew,conflict,redacted" doc:"Those of its entry; of a duplicate, conflict where its bytes differ from those of the event it repeats; redacted where values of the body were replaced by keyed hashes before it was stored"`
	// Connection is "" for a quarantined event.
	Connection string `json:"connection,omitempty" doc:"Where it belongs; left out for a quarantined event"`
	// Observation is nil for a quarantined event.
	Observation *Observation `json:"observation,omitempty" doc:"What was read out of it; of a duplicate, out of the event it repeats"`
	// Repeats is the id of the event that a duplicate repeats, else "".
	Repeats string `json:"repeats,omitempty" doc:"Of a duplicate, the event it repeats"`
	// Quarantine is nil but for a quarantined event.
	Quarantine *QuarantineReason `json:"quarantine,omitempty" doc:"Why it could not be placed"`
}

// The fates of events.
const (
	FatePlaced      = "placed"
	FateDuplicate   = "duplicate"
	FateQuarantined = "quarantined"
)

// Header is one header of the sender.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Observation is an event's entry, with what the mapping used to get there.
type Observation struct {
	Entry
	DeliveryID string `json:"delivery_id,omitempty" doc:"The provider's id of the delivery, which tells duplicates"`
	Rule       string `json:"rule,omitempty" doc:"The rule of the mapping that matched"`
}

// QuarantineReason says why an event could not be placed.
type QuarantineReason struct {
	Code   string `json:"code" doc:"Why, as a stable word"`
	Reason string `json:"reason" doc:"Why, for people; it may quote the payload"`
}

type eventInput struct {
	ID string `path:"id" minLength:"26" maxLength:"26" doc:"The event's id, a ULID"`
}

type rawOutput struct {
	ContentType   string `header:"Content-Type"`
	Disposition   string `header:"Content-Disposition"`
	Policy        string `header:"Content-Security-Policy"`
	ContentLength int    `header:"Content-Length"`
	Masked        string `header:"Tidemark-Masked"`
	Body          []byte
}

func (h *Handler) addEvents() {
	get(h, huma.Operation{
		OperationID: "get-event", Path: "/v1/events/{id}", Tags: []string{"events"},
		Summary: "One event: its envelope, what was read out of it, and what became of it",
	}, h.event)
	get(h, huma.Operation{
		OperationID: "get-event-raw", Path: "/v1/events/{id}/raw", Tags: []string{"events"},
		Summary: "The exact bytes of an event's body, as a download",
		Description: "Values that the source's definition marks as sensitive stand as \"[masked]\", and Tidemark-Masked says how many; all other bytes are as they were received. " +
			"Of a body whose fields cannot be found, or whose source is not configured, nothing is shown (Tidemark-Masked: body); of the latter it says so and what to do.",
		Responses: map[string]*huma.Response{"200": {
			Description: "The body as it was received, after Content-Encoding was undone",
			Content:     map[string]*huma.MediaType{"application/octet-stream": {}},
			Headers: map[string]*huma.Param{"Tidemark-Masked": {
				Description: "How many values are masked, or body for all of it; left out for none",
				Schema:      &huma.Schema{Type: huma.TypeString},
			}},
		}},
	}, h.raw)
}

func (h *Handler) event(ctx context.Context, in *eventInput) (*body[Event], error) {
	var e Event
	err := h.locate(ctx, in.ID, func(l *projections.Located) (err error) {
		e, err = h.eventOf(ctx, l)
		return err
	})
	return &body[Event]{e}, err
}

// raw serves what came from outside so that no browser runs it: as a download
// of no known type, and in a sandbox should one show it all the same. What the
// definition in force marks as sensitive is masked.
func (h *Handler) raw(ctx context.Context, in *eventInput) (*rawOutput, error) {
	var out *rawOutput
	err := h.locate(ctx, in.ID, func(l *projections.Located) error {
		shown, masked := h.shown(&l.Record.Event)
		out = &rawOutput{
			ContentType:   "application/octet-stream",
			Disposition:   `attachment; filename="` + l.Record.ID.String() + `.bin"`,
			Policy:        "sandbox; default-src 'none'; frame-ancestors 'none'",
			ContentLength: len(shown),
			Masked:        masked,
			Body:          shown,
		}
		return nil
	})
	return out, err
}

// shown is what may be shown of an event's body, and how much of it is masked, for people.
func (h *Handler) shown(e *eventstore.Event) (body []byte, masked string) {
	if h.o.Rebuilds == nil {
		return e.Body, "" // no source has a definition here, so none marks anything
	}
	n := 0
	d := h.o.Rebuilds.Defined()[e.Source]
	if d == nil {
		d = h.o.Rebuilds.Definitions()[e.Source]
	}
	if d != nil {
		body, n = h.hiding(e.Source, d).Mask(e.Body, e.Header)
	} else {
		body, n = providers.MaskWhole()
		body = fmt.Appendf(body, " Source %q is not configured, so nothing says what is sensitive in this body, and none of it is shown. "+
			"Configure the source again with its provider to see it.\n", e.Source)
	}
	switch n {
	case 0:
		return body, ""
	case providers.MaskedWhole:
		return body, maskedBody
	}
	return body, strconv.Itoa(n)
}

// hiding is a definition of a source's events as it hides fields: what it marks, what the one in
// force marks, and what the one marks that the serving generation was made with.
func (h *Handler) hiding(source string, d *providers.Definition) *providers.Definition {
	return d.Hiding(h.o.Rebuilds.Defined()[source]).Hiding(h.o.Rebuilds.Definitions()[source])
}

// maskedBody is Tidemark-Masked where nothing of a body is shown.
const maskedBody = "body"

// locate finds an event and calls fn with it.
func (h *Handler) locate(ctx context.Context, text string, fn func(*projections.Located) error) error {
	id, err := ulid.ParseStrict(text)
	if err != nil {
		return invalidParameters(ParameterError{"id", "must be a ULID, 26 letters and digits such as 01JZXW8Q5R0000000000000000"})
	}
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	return h.view(func(v *projections.View) error {
		l, err := v.Event(ctx, h.o.Log, id)
		if errors.Is(err, projections.ErrNotFound) {
			return notFound("There is no event " + id.String() + ", or it is stored and not applied yet.")
		}
		if err != nil {
			return err
		}
		return fn(&l)
	})
}

// signed reports whether the scheme by which an event was verified covers its body.
func signed(verified string) bool {
	switch verified {
	case "hmac", "standard-webhooks", "jwt":
		return true
	}
	return false
}

// eventOf puts together what is shown of an event.
func (h *Handler) eventOf(ctx context.Context, l *projections.Located) (Event, error) {
	r := &l.Record
	id := r.ID.String()
	e := Event{
		ID: id, Source: r.Source, ReceivedAt: r.ReceivedAt.UTC(), Verified: r.Verified, Signed: signed(r.Verified),
		Headers: make([]Header, len(r.Headers)), Position: uint64(r.Position), Index: r.Index,
		BodySize: len(r.Body), Raw: "/v1/events/" + id + "/raw",
		Fate: l.Fate.String(), Flags: []string{}, Connection: l.Connection,
	}
	for i, kept := range r.Headers {
		e.Headers[i] = Header(kept)
	}
	if q := l.Quarantine; q != nil {
		e.Quarantine = &QuarantineReason{Code: q.Code, Reason: q.Reason}
	}
	if r.Redacted() {
		e.Flags = append(e.Flags, FlagRedacted)
	}
	if l.Entry == nil {
		return e, nil
	}
	e.Observation = &Observation{Entry: entryOf(l.Entry), DeliveryID: l.Entry.Delivery, Rule: l.Entry.Rule}
	if l.Fate != projections.Duplicate {
		e.Flags = e.Observation.Flags
		return e, nil
	}
	e.Repeats = e.Observation.Event
	first, err := h.bodyAt(ctx, l.Entry.Key.Position, int(l.Entry.Key.Index))
	if err == nil && !bytes.Equal(first, r.Body) {
		e.Flags = append(e.Flags, FlagConflict)
	}
	return e, err
}

// bodyAt reads an event's body from the log.
func (h *Handler) bodyAt(ctx context.Context, position uint64, index int) ([]byte, error) {
	g, err := h.o.Log.At(ctx, eventstore.Position(position))
	if err == nil && index >= len(g.Events) {
		err = fmt.Errorf("%w: position %d holds %d events and number %d was read there", eventstore.ErrIntegrity, position, len(g.Events), index)
	}
	if err != nil {
		return nil, err
	}
	return g.Events[index].Body, nil
}
