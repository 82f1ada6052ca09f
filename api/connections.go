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
	Limit  int      `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"The most items on a page"`
	Cursor string   `query:"cursor" doc:"next of the page before"`
}

type connectionInput struct {
	Source     string `path:"source" doc:"Configured source"`
	Connection string `path:"connection" doc:"The provider's connection id, percent-encoded: / is %2F"`
}

func (h *Handler) addConnections() {
	get(h, huma.Operation{
		OperationID: "list-connections", Path: "/v1/connections", Tags: []string{"connections"},
		Summary:     "List connections and their states",
		Description: "Ordered by source and id.",
	}, h.listConnections)
	get(h, huma.Operation{
		OperationID: "get-connection", Path: "/v1/connections/{source}/{connection}", Tags: []string{"connections"},
		Summary: "The state of one connection",
	}, h.connection)
}

func (h *Handler) listConnections(_ context.Context, in *connectionsInput) (*body[Page[State]], error) {
	l := newList("connections", in.Source, in.Prefix).any(in.Health)
	after, err := l.place(in.Cursor)
	if err != nil {
		return nil, err
	}
	f := connections.Filter{Source: in.Source, Prefix: in.Prefix, After: after, Limit: in.Limit}
	for _, name := range in.Health {
		if health, ok := connections.ParseHealth(name); ok && !slices.Contains(f.Healths, health) {
			f.Healths = append(f.Healths, health)
		}
	}
	page := Page[State]{Items: make([]State, 0, in.Limit)}
	err = h.view(func(v *projections.View) error {
		var last []byte
		more, err := v.Connections(f, func(s State, place []byte) bool {
			page.Items, last = append(page.Items, s), place
			return true
		})
		if more {
			page.Next = l.cursor(last)
		}
		return err
	})
	return &body[Page[State]]{page}, err
}

func (h *Handler) connection(_ context.Context, in *connectionInput) (*body[State], error) {
	out := new(body[State])
	err := h.view(func(v *projections.View) (err error) {
		out.Body, err = v.Connection(in.Source, in.Connection)
		return h.unknownConnection(v, in.Source, in.Connection, err)
	})
	return out, err
}

// unknownConnection says what is not known: the connection, or already its source.
func (h *Handler) unknownConnection(v *projections.View, source, id string, err error) error {
	if problemOf(err).Status != http.StatusNotFound {
		return err
	}
	known := sourcesOf(h.o.Sources, v.Stats().BySource)
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
