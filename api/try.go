package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/whatif"
)

// Trial is what a definition, or the log, makes of a sample of events.
type Trial = whatif.Trial

// TryRequest asks what another definition would make of a sample of the log, or
// without a definition, what the log makes of one connection.
type TryRequest struct {
	Source     string    `json:"source,omitempty" doc:"The source whose events are looked at"`
	Connection string    `json:"connection,omitempty" doc:"Only the events on this connection's timeline"`
	From       uint64    `json:"from,omitempty" doc:"Only events at this position or behind it"`
	Since      time.Time `json:"since,omitzero" doc:"Only events received then or later"`
	Limit      int       `json:"limit,omitempty" minimum:"0" maximum:"100000" doc:"The most events to look at; 10,000 where it is left out"`
	// Definition is a definition's text, "" for a comparison of what serves with the log.
	Definition string `json:"definition,omitempty" doc:"The text of a provider definition (YAML)"`
	Name       string `json:"name,omitempty" maxLength:"100" doc:"What problems call the definition, such as its file's name"`
}

// defaultTried is how many events are looked at where nobody says.
const defaultTried = 10_000

type tryInput struct{ Posted[TryRequest] }

func (h *Handler) addTry(tags []string) {
	post(h, huma.Operation{
		OperationID: "try-definition", Path: "/v1/rebuilds/try", Tags: tags,
		Summary: "Try another definition on a sample of the log, before a rebuild reads all of it",
		Description: "It changes nothing. With a definition it says which events the source's current definition and this one read differently, and what state " +
			"comes out for the connections whose whole history is in the sample. Without one, a connection is named, and the state " +
			"that serves is compared with what its events in the log make of it.",
		RequestBody: postedBody[TryRequest](h, true),
	}, h.try)
}

func (h *Handler) try(ctx context.Context, in *tryInput) (*body[Trial], error) {
	if in.err != nil {
		return nil, in.err
	}
	r := in.value
	var given *providers.Definition
	switch {
	case r.Definition == "" && r.Connection == "":
		return nil, invalidParameters(ParameterError{"definition", "is missing: without a definition, a connection has to be named"})
	case r.Connection != "" && r.Source == "":
		return nil, invalidParameters(ParameterError{"source", "is missing: a connection belongs to a source"})
	case r.Connection != "" && (r.From > 0 || !r.Since.IsZero()):
		return nil, invalidParameters(ParameterError{"connection", "is looked at with all of its events, so it does not go with from or since"})
	case r.Limit < 0 || r.Limit > whatif.MaxLimit:
		return nil, invalidParameters(ParameterError{"limit", fmt.Sprintf("must be a whole number from 0 to %d", whatif.MaxLimit)})
	case r.Limit == 0:
		r.Limit = defaultTried
	}
	if r.Definition != "" {
		var err error
		if given, err = providers.Parse(definitionName(r.Name), []byte(r.Definition)); err != nil {
			return nil, &Problem{Status: http.StatusBadRequest, Code: CodeInvalidDefinition, Detail: publicWords(err)}
		}
	}
	if given != nil { // what is tried shows no more than what is in force
		given = h.hiding(r.Source, given)
	}
	sample := whatif.Sample{Source: r.Source, Connection: r.Connection, From: r.From, Since: r.Since, Limit: r.Limit}
	current := maps.Clone(h.o.Rebuilds.Definitions())
	if current[r.Source] != nil {
		current[r.Source] = h.hiding(r.Source, current[r.Source])
	}
	if err := sample.Check(current, given != nil); err != nil {
		return nil, notFound(sentence(err.Error()))
	}
	select { // it costs: one at a time
	case h.trials <- struct{}{}:
		defer func() { <-h.trials }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	out := new(body[Trial])
	err := h.view(func(v *projections.View) (err error) {
		out.Body, err = whatif.Try(ctx, v, h.o.Log, current, given, sample)
		if errors.Is(err, projections.ErrNotFound) {
			return h.unknownConnection(v, r.Source, r.Connection, err)
		}
		return err
	})
	return out, err
}

// definitionName is what errors call a posted definition: the end of its path.
func definitionName(name string) string {
	if name = filepath.Base(name); name == "." || name == "/" || len(name) > 100 {
		return "definition"
	}
	return name
}
