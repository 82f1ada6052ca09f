package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/api"
	"github.com/tidemark-dev/tidemark/projections"
)

func newExplain(a *app) *cobra.Command {
	var when whenFlags
	cmd := &cobra.Command{
		Use:   "explain SOURCE/CONNECTION",
		Short: "Say why a connection's state is what it is, in sentences for a customer",
		Long: `Say why a connection's state is what it is, facet by facet: which event set it, by which rule of the
definition and by whose clock, and which events that came late or were overridden do not decide.`,
		Example:           "  tidemark explain makini/conn_42\n  tidemark explain makini/conn_42 --valid-at 24h --known-at 24h",
		Args:              exactly("SOURCE/CONNECTION"),
		ValidArgsFunction: a.completeTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			query := url.Values{}
			if err := when.into(a, query); err != nil {
				return err
			}
			var x api.Explanation
			body, err := a.ask(cmd, args[0], "/explain", query, &x)
			if err != nil {
				return err
			}
			switch a.format {
			case formatJSON, formatJSONL:
				return a.printJSON(body)
			case formatCSV:
				return printAll(a, x.Facets, whyColumns())
			}
			s := &x.State
			fmt.Fprintf(a.stdout, "%s %s %s%s\n", inert(target{s.Source, s.Connection}.String()), is(s.AsOf), s.Health, asOf(s.AsOf))
			for _, f := range x.Facets {
				fmt.Fprintf(a.stdout, "\n%s: %s\n", f.Facet, f.Value)
				for _, w := range f.Words {
					fmt.Fprintf(a.stdout, "  %s\n", inert(w))
				}
			}
			return nil
		},
	}
	when.register(cmd)
	return cmd
}

// ask asks something about one connection: it decodes the answer into v and
// returns it as it came.
func (a *app) ask(cmd *cobra.Command, connection, path string, query url.Values, v any) ([]byte, error) {
	t, err := parseTarget(connection)
	if err != nil {
		return nil, err
	}
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	body, err := c.get(cmd.Context(), connectionPath(t.source, t.connection)+path, query)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return nil, fmt.Errorf("the server answers in a form that this program does not read: %w", err)
	}
	return body, nil
}

// printAll prints a list that is at hand.
func printAll[T any](a *app, items []T, columns []column[T]) error {
	p := newPrinter(a, columns...)
	for _, item := range items {
		if err := p.item(item); err != nil {
			return err
		}
	}
	return p.close()
}

func whyColumns() []column[projections.Why] {
	type w = projections.Why
	of := func(cell func(*projections.Cause) string) func(w) string {
		return func(v w) string {
			if v.Event == nil {
				return ""
			}
			return cell(v.Event)
		}
	}
	return []column[w]{
		{name: "facet", cell: func(v w) string { return v.Facet }},
		{name: "value", cell: func(v w) string { return v.Value }},
		{name: "since", cell: func(v w) string { return exact(deref(v.Since)) }},
		{name: "event", cell: of(func(c *projections.Cause) string { return c.Event })},
		{name: "type", cell: of(func(c *projections.Cause) string { return c.Type })},
		{name: "rule", cell: of(func(c *projections.Cause) string { return c.Rule })},
		{name: "time source", cell: of(func(c *projections.Cause) string { return c.TimeSource })},
		{name: "received", cell: of(func(c *projections.Cause) string { return exact(c.ReceivedAt) })},
		{name: "late", cell: of(func(c *projections.Cause) string { return strconv.FormatBool(c.Late) })},
		{name: "sets", cell: func(v w) string { return strconv.FormatUint(v.Sets, 10) }},
		{name: "overridden", cell: func(v w) string {
			var ids []string
			for _, o := range v.Overridden {
				ids = append(ids, o.Event)
			}
			return strings.Join(ids, " ")
		}},
		{name: "words", cell: func(v w) string { return strings.Join(v.Words, " ") }},
	}
}
