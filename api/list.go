package api

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tidemark-dev/tidemark/projections"
)

// ListQuery is what every list takes. It is exported because huma reads exported
// fields alone, as are WhenQuery and ConnectionPath.
type ListQuery struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"The most items on a page. An export has all items without it"`
	Cursor string `query:"cursor" doc:"next of the page before"`
	Format string `query:"format" enum:"json,csv,jsonl" doc:"csv or jsonl: an export, all items as a stream; so does the header Accept with text/csv or application/jsonl. Else a page of JSON"`

	export  string // csv or jsonl; "" for a page
	limited bool   // limit was given
}

// Resolve reads what a parameter alone does not tell.
func (in *ListQuery) Resolve(ctx huma.Context) []error {
	in.limited = ctx.Query("limit") != ""
	switch in.export = in.Format; in.export {
	case "":
		in.export = acceptedExport(ctx.Header("Accept"))
	case "json":
		in.export = ""
	}
	return nil
}

// lister is one list under one set of filters.
type lister[T any] struct {
	cursors *list
	columns []column[T]      // of CSV
	name    string           // of the file that a browser makes of an export
	when    projections.When // the instant that the list is of
	// walk calls each for the rows behind place, nil for the beginning, in the list's
	// order until each returns false: with nil for a row that the filters leave out, so that
	// what is looked at can be bounded.
	walk func(v *projections.View, place []byte, each func(item *T, place []byte) bool) error
}

// pageTime bounds the time that one page takes: what is not looked at by then is
// on the next.
const pageTime = 2 * time.Second

// answer is a page of a list, or an export of the whole.
func answer[T any](ctx context.Context, h *Handler, in *ListQuery, l *lister[T]) (*streamed, error) {
	place, err := l.cursors.place(in.Cursor)
	if err != nil {
		return nil, err
	}
	if in.export != "" {
		return &streamed{func(ctx huma.Context) { export(h, ctx, in, l, place) }}, nil
	}
	page, err := pageOf(ctx, h, in.Limit, l, place)
	if err != nil {
		return nil, err
	}
	return &streamed{func(ctx huma.Context) {
		ctx.SetHeader("Content-Type", "application/json")
		ctx.SetStatus(http.StatusOK)
		if err := h.huma.Marshal(ctx.BodyWriter(), "application/json", page); err != nil {
			panic(err) // a client that is gone, or a fault: ServeHTTP tells them apart
		}
	}}, nil
}

func pageOf[T any](ctx context.Context, h *Handler, limit int, l *lister[T], place []byte) (Page[T], error) {
	page := Page[T]{Items: make([]T, 0, min(limit, 64))}
	bounded, cancel := context.WithTimeout(ctx, pageTime)
	defer cancel()
	err := h.view(func(v *projections.View) error {
		page.AsOf = v.AsOf(l.when)
		var last []byte
		scanned := 0
		return l.walk(v, place, func(item *T, place []byte) bool {
			if len(page.Items) == limit || scanned == h.maxScan || scanned > 0 && bounded.Err() != nil {
				page.Next = l.cursors.cursor(last)
				return false
			}
			scanned++
			last = append(last[:0], place...)
			if item != nil {
				page.Items = append(page.Items, *item)
			}
			return true
		})
	})
	if err == nil {
		err = ctx.Err()
	}
	return page, err
}

// streamed is an answer that is written as it is made.
type streamed struct{ Body func(huma.Context) }

// listResponses describes the answers of a list of T.
func listResponses[T any](h *Handler) map[string]*huma.Response {
	schemas := h.huma.OpenAPI().Components.Schemas
	page := schemas.Schema(reflect.TypeFor[Page[T]](), true, "")
	item := schemas.Schema(reflect.TypeFor[T](), true, "")
	return map[string]*huma.Response{"200": {
		Description: "A page; or, as CSV or a JSON object a line, an export: all items in order as of one moment, which the header " +
			headerCheckpoint + " names. An export that breaks off is cut without an end, so that it cannot be taken for a whole one",
		Content: map[string]*huma.MediaType{
			"application/json": {Schema: page}, mediaTypes["csv"]: {}, mediaTypes["jsonl"]: {Schema: item},
		},
	}}
}
