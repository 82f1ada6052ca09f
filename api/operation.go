package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tidemark-dev/tidemark/projections"
)

// get adds an operation that answers GET requests. The query was checked
// against the operation's description before fn sees it, and what fn returns as an
// error is answered as the table of problems says.
func get[I, O any](h *Handler, op huma.Operation, fn func(context.Context, *I) (*O, error)) {
	op.Method = http.MethodGet
	op.SkipValidateParams = true
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	op.Responses["default"] = h.problemResponse()
	huma.Register(h.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := fn(ctx, in)
		if err != nil {
			return nil, h.problem(ctx, op.OperationID, err)
		}
		return out, nil
	})
}

// expected are the codes below which the server is not at fault.
var expected = []string{CodeNotReady, CodeStopping, CodeTooSlow}

// problem is what a client is told of an error; what it is not told, the log is.
func (h *Handler) problem(ctx context.Context, operation string, err error) *Problem {
	p := problemOf(err)
	if h.o.Rebuilds != nil {
		h.o.Rebuilds.Damaged(err) // where it is damage, it is mended
	}
	if p.Status >= http.StatusInternalServerError && !slices.Contains(expected, p.Code) {
		h.o.Logger.LogAttrs(ctx, slog.LevelError, "request failed",
			slog.String("operation", operation), slog.String("code", p.Code),
			slog.String("request_id", requestID(ctx)), slog.Any("error", err))
	}
	return p.complete(ctx)
}

func (h *Handler) problemResponse() *huma.Response {
	schema := h.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "")
	return &huma.Response{
		Description: "A problem",
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
	}
}

// view calls fn with a view that is closed afterwards.
func (h *Handler) view(fn func(*projections.View) error) (err error) {
	v, err := h.o.View()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	return fn(v)
}

// body is an answer in JSON.
type body[T any] struct{ Body T }

func notFound(detail string) error {
	return &Problem{Status: http.StatusNotFound, Code: CodeNotFound, Detail: detail}
}
