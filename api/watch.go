package api

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/connections"
)

// watching says how long things take in a watch.
type watching struct {
	keepAlive time.Duration // the longest silence
	life      time.Duration // of one request, so that its key is looked at again
	chunk     int           // connections that are read from one view and sent in one write
	scan      int           // connections that one view is looked through for what was missed
}

var watchTimes = watching{keepAlive: 15 * time.Second, life: 15 * time.Minute, chunk: 256, scan: 20_000}

type watchInput struct {
	Source string   `query:"source" doc:"Only connections of this source"`
	Health []string `query:"health,explode" enum:"disconnected,paused,action_required,offline,failing,expiring,healthy,unknown" doc:"Only states of this health; give it more than once for any of several"`
	Prefix string   `query:"q" doc:"Only connections whose id begins with this"`
	After  string   `query:"last_event_id" doc:"Begin with what changed behind this position; 0 for all there is. The header goes before it"`
	Last   string   `header:"Last-Event-ID" doc:"What a client that comes back has seen; browsers send it by themselves"`
}

func (h *Handler) addWatch() {
	state := h.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[State](), true, "")
	get(h, huma.Operation{
		OperationID: "watch-connections", Path: "/v1/watch", Tags: []string{"connections"},
		Summary: "States as they change, as server-sent events",
		Description: "Each event of type state has a State as its data. Several changes of one connection may come as one, and a state may come again " +
			"after a reconnect; none is left out. The id of an event is a position: everything up to it was sent before. A reader that " +
			"does not keep up is sent an event of type error, with a Problem as its data, and cut off; it comes back with its last id, as browsers do by " +
			"themselves. So it does every quarter of an hour, when the server ends the answer.",
		Responses: map[string]*huma.Response{"200": {
			Description: "A stream without an end",
			Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: state}},
		}},
	}, h.watch)
}

func (h *Handler) watch(_ context.Context, in *watchInput) (*streamed, error) {
	if h.o.Hub == nil {
		return nil, &Problem{Status: http.StatusServiceUnavailable, Code: CodeNotReady, Detail: "This server does not tell changes."}
	}
	if h.draining.Err() != nil {
		return nil, errStopping()
	}
	last, parameter := in.Last, "Last-Event-ID"
	if last == "" {
		last, parameter = in.After, "last_event_id"
	}
	w := &watcher{h: h, filter: connections.Filter{Source: in.Source, Prefix: in.Prefix}, healths: in.Health, resumes: last != ""}
	if w.resumes {
		var err error
		if w.sent, err = strconv.ParseUint(last, 10, 64); err != nil {
			return nil, invalidParameters(ParameterError{parameter, "must be a position: a whole number, such as the id of the last event"})
		}
	}
	return &streamed{w.serve}, nil
}

// watcher is one watch under way.
type watcher struct {
	h       *Handler
	filter  connections.Filter
	healths []string

	changes *projections.Watch
	wire    *wire
	buf     bytes.Buffer
	resumes bool
	// sent is the last id that was sent, or that the client came with: every change
	// up to it has been sent. told is how far that holds, base how far changes are no news to this watch.
	sent, told, base uint64
}

// serve writes changes until the client goes away, is too slow, or its time is up.
func (w *watcher) serve(hc huma.Context) {
	r, out := humago.Unwrap(hc)
	head := out.Header()
	head.Set("Content-Type", "text/event-stream")
	head.Set("X-Accel-Buffering", "no") // a proxy that gathers would hold them back
	out.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), w.h.watching.life)
	defer cancel()
	defer context.AfterFunc(w.h.draining, cancel)()
	w.h.metrics.watchers.Inc()
	defer w.h.metrics.watchers.Dec()

	w.wire = newWire(out, w.h.patience)
	err := w.run(ctx)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return // the client is gone, or comes back in a moment
	case errors.Is(err, projections.ErrSlow):
		w.h.metrics.dropped.Inc()
		err = &Problem{Status: http.StatusServiceUnavailable, Code: CodeTooSlow, Detail: "Changes came faster than they were read. Come back with the last id."}
	}
	w.buf.Reset()
	w.buf.WriteString("event: error\ndata: ")
	if err := w.h.huma.Marshal(&w.buf, "application/json", w.h.problem(ctx, hc.Operation().OperationID, err)); err == nil {
		w.buf.WriteByte('\n')
		_ = w.wire.send(&w.buf) // it is over either way
	}
}

func (w *watcher) run(ctx context.Context) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	for {
		if err := w.round(ctx); err != nil {
			return err
		}
	}
}

// round sends changes until there is silence, and then a sign of life.
func (w *watcher) round(ctx context.Context) error {
	quiet, cancel := context.WithTimeout(ctx, w.h.watching.keepAlive)
	defer cancel()
	wrote := false
	for !wrote {
		names, told, err := w.changes.Next(quiet)
		if errors.Is(err, projections.ErrReplaced) {
			if err := w.again(ctx); err != nil {
				return err
			}
			break
		}
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			w.buf.WriteString(": keep-alive\n")
			break
		}
		if err != nil {
			return err
		}
		for chunk := range slices.Chunk(names, w.h.watching.chunk) {
			names = names[len(chunk):]
			n, err := w.send(ctx, chunk, told, len(names) == 0)
			if err != nil {
				return err
			}
			wrote = wrote || n > 0
		}
		w.told = told
	}
	w.mark(w.told)
	return w.flush()
}

// begin starts to listen, sends what a client that comes back has missed, and an
// id, so that a client that is cut off from now on knows where it stood.
func (w *watcher) begin(ctx context.Context) error {
	w.buf.WriteString("retry: 1000\n")
	from, remembered := w.sent, false
	if w.resumes {
		w.changes, from, remembered = w.h.o.Hub.WatchAfter(w.sent)
	} else {
		w.changes = w.h.o.Hub.Watch()
	}
	// From here on nothing is missed; this is what was before.
	checkpoint := uint64(0)
	err := w.h.view(func(v *projections.View) error {
		checkpoint = v.Checkpoint().Position
		return nil
	})
	if err != nil {
		return err
	}
	w.sent = min(w.sent, checkpoint) // one that saw more than is applied here is told that again
	w.base = checkpoint
	switch {
	case remembered: // what was missed comes as changes
		w.base = w.sent
	case w.resumes && checkpoint > from:
		if err := w.missed(ctx, from); err != nil {
			return err
		}
	}
	w.told = w.base
	if !w.resumes || w.told > w.sent {
		w.id(w.told)
	}
	w.buf.WriteByte('\n')
	return w.flush()
}

// again sends all states, after other projections took over.
func (w *watcher) again(ctx context.Context) error {
	err := w.h.view(func(v *projections.View) error {
		w.told = v.Checkpoint().Position
		return nil
	})
	if err != nil {
		return err
	}
	return w.missed(ctx, 0)
}

// missed sends the states that changed behind a position. They are read a part
// at a time, each from a view of its own: one view for all would have to be kept while a client
// reads slowly, and what changes on the way is told anyway.
func (w *watcher) missed(ctx context.Context, after uint64) error {
	select { // a scan costs: not all clients at once, when all come back after a restart
	case w.h.scans <- struct{}{}:
		defer func() { <-w.h.scans }()
	case <-ctx.Done():
		return ctx.Err()
	}
	f := w.filter
	f.Limit = w.h.watching.scan
	for more := true; more; {
		n := 0
		err := w.h.view(func(v *projections.View) (err error) {
			f.After, more, err = v.ChangedSince(after, f, func(s State) bool {
				if w.wants(&s) {
					w.state(&s)
					n++
				}
				return n < w.h.watching.chunk
			})
			return err
		})
		if err != nil {
			return err
		}
		more = more || n == w.h.watching.chunk
		if err := errors.Join(ctx.Err(), w.flush()); err != nil {
			return err
		}
	}
	return nil
}

// send sends the states of changed connections, of which it returns the number.
// told is the position up to which everything is sent once the last ones are.
func (w *watcher) send(ctx context.Context, names []projections.Name, told uint64, last bool) (int, error) {
	var states []State
	err := w.h.view(func(v *projections.View) error {
		for _, n := range names {
			if !w.named(n) {
				continue
			}
			s, err := v.Connection(n.Source, n.Connection)
			if errors.Is(err, projections.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if s.Position > w.base && w.wants(&s) {
				states = append(states, s)
			}
		}
		return nil
	})
	if err != nil || len(states) == 0 {
		return 0, err
	}
	slices.SortFunc(states, func(a, b State) int { return cmp.Compare(a.Position, b.Position) })
	for i := range states {
		// An id says that everything up to it was sent: so only the last of those that
		// share a position has it, and none has one beyond what was told.
		id := min(states[i].Position, told)
		if last && (i+1 == len(states) || states[i+1].Position > id) {
			w.id(id)
		}
		w.state(&states[i])
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return len(states), w.flush()
}

// named reports whether a connection is one that the client asks for.
func (w *watcher) named(n projections.Name) bool {
	return (w.filter.Source == "" || w.filter.Source == n.Source) && strings.HasPrefix(n.Connection, w.filter.Prefix)
}

func (w *watcher) wants(s *State) bool {
	return len(w.healths) == 0 || slices.Contains(w.healths, s.Health)
}

// id writes the id of the event that follows.
func (w *watcher) id(id uint64) {
	if id >= w.sent {
		w.sent = id
		fmt.Fprintf(&w.buf, "id: %d\n", id)
	}
}

// mark writes an id without an event, if the client has an older one.
func (w *watcher) mark(id uint64) {
	if id > w.sent {
		w.id(id)
	}
	if w.buf.Len() > 0 {
		w.buf.WriteByte('\n')
	}
}

func (w *watcher) flush() error {
	if w.buf.Len() == 0 {
		return nil
	}
	return w.wire.send(&w.buf)
}

func (w *watcher) state(s *State) {
	w.buf.WriteString("event: state\ndata: ")
	if err := w.h.huma.Marshal(&w.buf, "application/json", s); err != nil {
		panic(err) // a state always can be written
	}
	w.buf.WriteByte('\n') // the data ended its line itself
}
