package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/tidemark-dev/tidemark/projections/generations"
)

// progressTick is how often a rebuild is looked at for its watchers.
const progressTick = 200 * time.Millisecond

func (h *Handler) addRebuildStreams(tags []string) {
	schemas := h.huma.OpenAPI().Components.Schemas
	get(h, huma.Operation{
		OperationID: "watch-rebuild", Path: "/v1/rebuilds/{id}/events", Tags: tags,
		Summary: "A rebuild as it goes on, as server-sent events",
		Description: "Each event of type progress has a Rebuild as its data, the first at once, the last when it has come to its end: then the answer ends. " +
			"It also ends after a quarter of an hour, and when the server stops; come back then.",
		Responses: map[string]*huma.Response{"200": {
			Description: "A stream that ends with the rebuild",
			Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: schemas.Schema(reflect.TypeFor[Rebuild](), true, "")}},
		}},
	}, h.watchRebuild)
	get(h, huma.Operation{
		OperationID: "get-rebuild-report", Path: "/v1/rebuilds/{id}/report", Tags: tags,
		Summary:     "Every difference that a rebuild found, a JSON object a line",
		Description: "Ordered by source and connection. The Rebuild itself sums them up.",
		Responses: map[string]*huma.Response{"200": {
			Description: "One line for each connection that differs; none where nothing does",
			Content:     map[string]*huma.MediaType{mediaTypes["jsonl"]: {Schema: schemas.Schema(reflect.TypeFor[RebuildChange](), true, "")}},
		}},
	}, h.rebuildReport)
}

// watchRebuild sends a rebuild whenever it changed, until it has come to its end.
func (h *Handler) watchRebuild(_ context.Context, in *rebuildInput) (*streamed, error) {
	j, err := h.o.Rebuilds.Job(in.ID)
	if err != nil {
		return nil, rebuildProblem(err, nil)
	}
	if h.draining.Err() != nil {
		return nil, errStopping()
	}
	return &streamed{func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no") // a proxy that gathers would hold them back
		w.WriteHeader(http.StatusOK)
		if r.Method == http.MethodHead {
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), h.watching.life)
		defer cancel()
		defer context.AfterFunc(h.draining, cancel)()
		h.sendRebuild(ctx, newWire(w, h.patience), j.ID)
	}}, nil
}

func (h *Handler) sendRebuild(ctx context.Context, out *wire, id string) {
	tick := time.NewTicker(progressTick)
	defer tick.Stop()
	var buf, last bytes.Buffer
	silent := 0
	for {
		j, err := h.o.Rebuilds.Job(id)
		if err != nil {
			return // another one was begun since
		}
		last.Reset()
		if err := h.huma.Marshal(&last, "application/json", j); err != nil {
			panic(err) // a rebuild always can be written
		}
		silent++
		switch event := "event: progress\ndata: " + last.String() + "\n"; {
		case buf.String() != event:
			silent = 0
			buf.Reset()
			buf.WriteString(event)
			if out.send(bytes.NewBufferString(event)) != nil {
				return
			}
		case time.Duration(silent)*progressTick >= h.watching.keepAlive:
			silent = 0
			if out.send(bytes.NewBufferString(": keep-alive\n\n")) != nil {
				return
			}
		}
		if j.State.Ended() {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// rebuildReport sends the file of a rebuild's differences.
func (h *Handler) rebuildReport(_ context.Context, in *rebuildInput) (*streamed, error) {
	path, err := h.o.Rebuilds.ReportFile(in.ID)
	if err != nil {
		return nil, rebuildProblem(err, nil)
	}
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) { // another rebuild was begun since
		return nil, rebuildProblem(generations.ErrNoJob, nil)
	}
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &streamed{func(hc huma.Context) {
		defer func() { _ = file.Close() }() // it was only read
		r, w := humago.Unwrap(hc)
		w.Header().Set("Content-Type", mediaTypes["jsonl"]+"; charset=utf-8")
		w.Header().Set("Content-Disposition", `attachment; filename="rebuild-report.jsonl"`)
		w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
		w.WriteHeader(http.StatusOK)
		if r.Method == http.MethodHead {
			return
		}
		out := newWire(w, h.patience)
		buf := make([]byte, exportBuffer)
		for h.goOn(r.Context()) == nil {
			n, err := file.Read(buf)
			if n > 0 {
				if _, err := out.Write(buf[:n]); err != nil {
					return
				}
			}
			if err == io.EOF {
				return
			}
			if err != nil {
				break
			}
		}
		panic(http.ErrAbortHandler) // a part must not look like the whole
	}}, nil
}
