package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/connections"
)

type connectionsInput struct {
	Source string   `query:"source" doc:"Only connections of this source"`
	Health []string `query:"health,explode" enum:"disconnected,paused,action_required,offline,failing,expiring,healthy,unknown" doc:"Only connections of this health; give it more than once for any of several"`
	Prefix string   `query:"q" doc:"Only connections whose id begins with this"`
	ListQuery
	WhenQuery
}

// ConnectionPath names a connection.
type ConnectionPath struct {
	Source     string `path:"source" doc:"Configured source"`
	Connection string `path:"connection" doc:"The provider's connection id, percent-encoded: / is %2F"`
}

type connectionInput struct {
	ConnectionPath
	WhenQuery
}

func (h *Handler) addConnections() {
	get(h, huma.Operation{
		OperationID: "list-connections", Path: "/v1/connections", Tags: []string{"connections"},
		Summary: "List connections and their states",
		Description: "Ordered by source and id. With valid_at or known_at: the states of then, of which health is one, and without the connections that were " +
			"not known then; a page may hold fewer items than limit, or none, and still have a next.",
		Responses: listResponses[State](h),
	}, h.listConnections)
	get(h, huma.Operation{
		OperationID: "get-connection", Path: "/v1/connections/{source}/{connection}", Tags: []string{"connections"},
		Summary: "The state of one connection, now or as of an instant",
	}, h.connection)
}

func (h *Handler) listConnections(ctx context.Context, in *connectionsInput) (*streamed, error) {
	f := connections.Filter{Source: in.Source, Prefix: in.Prefix}
	for _, name := range in.Health {
		if health, ok := connections.ParseHealth(name); ok && !slices.Contains(f.Healths, health) {
			f.Healths = append(f.Healths, health)
		}
	}
	w := in.when()
	return answer(ctx, h, &in.ListQuery, &lister[State]{
		cursors: newList("connections", in.Source, in.Prefix).any(in.Health).at(w),
		columns: connectionColumns, name: "connections", when: w,
		walk: func(v *projections.View, place []byte, each func(*State, []byte) bool) error {
			f := f
			f.After = place
			if w.IsNow() {
				_, err := v.Connections(f, func(s State, place []byte) bool { return each(&s, place) })
				return err
			}
			return v.ConnectionsAt(f, w, func(s State, ok bool, place []byte) bool {
				if !ok || len(in.Health) > 0 && !slices.Contains(in.Health, s.Health) {
					return each(nil, place)
				}
				return each(&s, place)
			})
		},
	})
}

func (h *Handler) connection(_ context.Context, in *connectionInput) (*body[State], error) {
	out := new(body[State])
	err := h.view(func(v *projections.View) (err error) {
		out.Body, err = v.ConnectionAt(in.Source, in.Connection, in.when())
		return h.missing(v, in.Source, in.Connection, in.when(), err)
	})
	return out, err
}

// unknownConnection says what is not known: the connection, or already its source.
func (h *Handler) unknownConnection(v *projections.View, source, id string, err error) error {
	if problemOf(err).Status != http.StatusNotFound {
		return err
	}
	known := sourcesOf(h.o.Sources(), v.Stats().BySource)
	if slices.Contains(known, source) {
		return notFound(fmt.Sprintf("No event of connection %q of source %q was applied yet.", id, source))
	}
	detail := fmt.Sprintf("There is no source %q.", source)
	if near := nearest(source, known); near != "" {
		detail += fmt.Sprintf(" Did you mean %q?", near)
	}
	return notFound(detail)
}

// sourcesOf returns the sources that are configured or have connections, sorted.
func sourcesOf(configured []string, counts map[string]uint64) []string {
	all := slices.Clone(configured)
	for s := range counts {
		all = append(all, s)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
