package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/generations"
	"github.com/tidemark-dev/tidemark/projections/rebuild"
)

// Rebuild is a rebuild of the projections, under way or at its end.
type Rebuild = generations.Job

// RebuildRequest asks for one.
type RebuildRequest = generations.Request

// RebuildStatus is what serves, and the last rebuild.
type RebuildStatus = generations.Status

// RebuildChange is a line of a rebuild's report.
type RebuildChange = rebuild.Change

// Retried says what became of the events of the quarantine.
type Retried = projections.Retried

// Rollback says which generation served and which one serves.
type Rollback struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type rebuildInput struct {
	ID string `path:"id" doc:"The rebuild's id, or last"`
}

func (h *Handler) addRebuilds() {
	tags, first := []string{"rebuilds"}, len(h.routes.list)
	get(h, huma.Operation{
		OperationID: "get-rebuilds", Path: "/v1/rebuilds", Tags: tags,
		Summary: "Which generation of the projections serves, and the last rebuild",
	}, h.rebuildStatus)
	post(h, huma.Operation{
		OperationID: "start-rebuild", Path: "/v1/rebuilds", Tags: tags, DefaultStatus: http.StatusAccepted,
		Summary: "Make the projections anew from the log, beside those that serve",
		Description: "It begins and answers at once. The new generation takes over when it is complete, unless the request says otherwise. " +
			"A problem with the status 409 has the rebuild that is in the way as its rebuild.",
		RequestBody: postedBody[RebuildRequest](h, false),
	}, h.startRebuild)
	post(h, huma.Operation{
		OperationID: "rollback-rebuild", Path: "/v1/rebuilds/rollback", Tags: tags,
		Summary:     "Let the generation before the serving one take over again",
		Description: "It is brought up to date with the log first.",
	}, h.rollback)
	get(h, huma.Operation{
		OperationID: "get-rebuild", Path: "/v1/rebuilds/{id}", Tags: tags,
		Summary: "A rebuild: how far it has come, what it accounts for, and what it says differently",
	}, h.rebuild)
	h.addRebuildStreams(tags)
	h.addTry(tags)
	for _, s := range []struct {
		word, summary string
		steer         func(*generations.Set, string) (Rebuild, error)
	}{
		{"promote", "Let a rebuild that waits for review take over", (*generations.Set).Promote},
		{"cancel", "End a rebuild that has not taken over, and remove what it made", (*generations.Set).Cancel},
		{"pause", "Let a rebuild wait", (*generations.Set).Pause},
		{"resume", "Let a paused rebuild go on", (*generations.Set).Resume},
	} {
		post(h, huma.Operation{
			OperationID: s.word + "-rebuild", Path: "/v1/rebuilds/{id}/" + s.word, Tags: tags, Summary: s.summary,
		}, func(_ context.Context, in *rebuildInput) (*body[Rebuild], error) {
			j, err := s.steer(h.o.Rebuilds, in.ID)
			return &body[Rebuild]{j}, rebuildProblem(err, nil)
		})
	}
	post(h, huma.Operation{
		OperationID: "retry-quarantine", Path: "/v1/quarantine/retry", Tags: []string{"events"},
		Summary: "Let events that the definitions can place by now leave the quarantine",
		Description: "It answers when it is done. Each event takes the place that a rebuild would give it; those that cannot have it here are left and named: " +
			"they need a rebuild.",
	}, h.retryQuarantine)
	for i := first; i < len(h.routes.list) && h.o.Rebuilds == nil; i++ {
		h.routes.list[i].handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			writeProblem(w, r, &Problem{Status: http.StatusServiceUnavailable, Code: CodeNotReady, Detail: "This server does not rebuild."})
		})
	}
}

func (h *Handler) rebuildStatus(context.Context, *struct{}) (*body[RebuildStatus], error) {
	return &body[RebuildStatus]{h.o.Rebuilds.Status()}, nil
}

type startInput struct{ Posted[RebuildRequest] }

func (h *Handler) startRebuild(_ context.Context, in *startInput) (*body[Rebuild], error) {
	if in.err != nil {
		return nil, in.err
	}
	r := in.value
	switch {
	case utf8.RuneCountInString(r.Reason) > 200:
		return nil, invalidParameters(ParameterError{"reason", "must not be longer than 200 characters"})
	case r.Verify && (r.Review || r.DryRun):
		return nil, invalidParameters(ParameterError{"verify", "compares and promotes nothing, so it does not go with review or dry_run"})
	case r.DryRun && r.Review:
		return nil, invalidParameters(ParameterError{"dry_run", "promotes nothing, so there is nothing to review"})
	}
	j, err := h.o.Rebuilds.Start(r)
	return &body[Rebuild]{j}, rebuildProblem(err, &j)
}

func (h *Handler) rebuild(_ context.Context, in *rebuildInput) (*body[Rebuild], error) {
	j, err := h.o.Rebuilds.Job(in.ID)
	return &body[Rebuild]{j}, rebuildProblem(err, nil)
}

func (h *Handler) rollback(ctx context.Context, _ *struct{}) (*body[Rollback], error) {
	from, to, err := h.o.Rebuilds.Rollback(ctx)
	return &body[Rollback]{Rollback{from, to}}, rebuildProblem(err, nil)
}

func (h *Handler) retryQuarantine(ctx context.Context, _ *struct{}) (*body[Retried], error) {
	r, err := h.o.Rebuilds.RetryQuarantine(ctx)
	return &body[Retried]{r}, err
}

// rebuildProblem is what an error of steering rebuilds means to a client.
func rebuildProblem(err error, inTheWay *Rebuild) error {
	if err == nil {
		return nil
	}
	for _, row := range []struct {
		err    error
		status int
		code   string
	}{
		{generations.ErrNoJob, http.StatusNotFound, CodeNotFound},
		{generations.ErrBusy, http.StatusConflict, CodeRebuildBusy},
		{generations.ErrState, http.StatusConflict, CodeRebuildState},
		{generations.ErrNoPrevious, http.StatusConflict, CodeNoPrevious},
	} {
		if errors.Is(err, row.err) {
			return &Problem{Status: row.status, Code: row.code, Detail: sentence(publicWords(err)), Rebuild: inTheWay}
		}
	}
	return err
}

// sentence makes an error's words one.
func sentence(words string) string {
	if words == "" {
		return ""
	}
	return strings.ToUpper(words[:1]) + words[1:] + "."
}

// schemaName names the types of rebuilds, and those whose names are taken.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[generations.Job]():
		return "Rebuild"
	case reflect.TypeFor[projections.Stats]():
		return "GenerationStats"
	}
	name := huma.DefaultSchemaNamer(t, hint)
	switch p := t.PkgPath(); {
	case strings.HasSuffix(p, "/projections/generations"), strings.HasSuffix(p, "/projections/rebuild"):
		return "Rebuild" + name
	case strings.HasSuffix(p, "/projections/whatif") && name != "Trial":
		return "Trial" + name
	}
	return name
}
