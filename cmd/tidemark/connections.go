package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/projections/connections"
)

// tableRows is how many rows a table shows where nobody says. The other
// formats are for programs, and give all there is.
const tableRows = 50

func newConnections(a *app) *cobra.Command {
	var source, prefix string
	var healths []string
	var limit int
	var when whenFlags
	cmd := &cobra.Command{
		Use:   "connections",
		Short: "List connections with their health, now or as of an instant",
		Example: `  tidemark connections --health failing --health action_required
  tidemark connections --source makini --q conn_ -o csv
  tidemark connections --health offline --valid-at 2026-03-01T12:00:00Z`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{}
			if err := setFilters(query, source, prefix, healths); err != nil {
				return err
			}
			if err := when.into(a, query); err != nil {
				return err
			}
			return listPages(a, cmd, "/v1/connections", query, limit, "no connections: they appear with their first webhook", connectionColumns(a))
		},
	}
	f := cmd.Flags()
	f.StringVar(&source, "source", "", "only those of this source")
	f.StringArrayVar(&healths, "health", nil, "only those of this health (repeatable)")
	f.StringVar(&prefix, "q", "", "only those whose id begins with this")
	limitFlag(cmd, &limit)
	when.register(cmd)
	_ = cmd.RegisterFlagCompletionFunc("source", func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return a.completeSource(cmd, nil, typed)
	})
	_ = cmd.RegisterFlagCompletionFunc("health", cobra.FixedCompletions(connections.HealthNames(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// setFilters puts the filters of a list of connections into a query.
func setFilters(query url.Values, source, prefix string, healths []string) error {
	for _, h := range healths {
		if _, ok := connections.ParseHealth(h); !ok {
			return usage(fmt.Errorf("--health: %q is no health", h), "one of: "+strings.Join(connections.HealthNames(), ", "))
		}
	}
	if source != "" {
		query.Set("source", source)
	}
	if prefix != "" {
		query.Set("q", prefix)
	}
	query["health"] = healths
	return nil
}

func connectionColumns(a *app) []column[connections.State] {
	type s = connections.State
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	return []column[s]{
		{name: "connection", cell: func(v s) string { return target{v.Source, v.Connection}.String() }},
		{name: "source", csv: true, cell: func(v s) string { return v.Source }},
		{name: "id", csv: true, cell: func(v s) string { return v.Connection }},
		{name: "health", cell: func(v s) string { return v.Health }, tint: func(v s) tint { return healthTint(v.Health) }},
		{name: "last event", cell: func(v s) string {
			if a.format == formatCSV {
				return exact(deref(v.LastEventAt))
			}
			return instant(deref(v.LastEventAt))
		}},
		{name: "first event", csv: true, cell: func(v s) string { return exact(deref(v.FirstEventAt)) }},
		{name: "last received", csv: true, cell: func(v s) string { return exact(deref(v.LastReceived)) }},
		{name: "lifecycle", csv: true, cell: func(v s) string { return v.Lifecycle.Value }},
		{name: "connectivity", csv: true, cell: func(v s) string { return v.Connectivity.Value }},
		{name: "auth", csv: true, cell: func(v s) string { return v.Auth.Value }},
		{name: "sync", csv: true, cell: func(v s) string { return v.Sync.Value }},
		{name: "consecutive failures", csv: true, cell: func(v s) string { return number(v.Sync.ConsecutiveFailures) }},
		{name: "error", csv: true, cell: func(v s) string { return v.Error.Value }},
		{name: "events", cell: func(v s) string { return number(v.Counts.Events) }},
		{name: "duplicates", csv: true, cell: func(v s) string { return number(v.Counts.Duplicates) }},
		{name: "conflicts", csv: true, cell: func(v s) string { return number(v.Counts.Conflicts) }},
		{name: "late", csv: true, cell: func(v s) string { return number(v.Counts.Late) }},
		{name: "why", cell: func(v s) string { return v.HealthReason }},
	}
}

func limitFlag(cmd *cobra.Command, limit *int) {
	cmd.Flags().IntVar(limit, "limit", -1, "at most this many, 0 for all (default: 50 in a table, all in json, jsonl and csv)")
	cmd.Flags().Lookup("limit").DefValue = ""
}

// listPages prints a list of the server's: the first pages of it up to the limit,
// or without one all of it, which is one stream as of one moment.
func listPages[T any](a *app, cmd *cobra.Command, path string, query url.Values, limit int, none string, columns []column[T]) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	switch {
	case limit < -1:
		return usage(fmt.Errorf("--limit: %d is no number of rows", limit), "0 is for all")
	case limit == -1 && a.format == formatTable:
		limit = tableRows
	case limit == -1:
		limit = 0
	}
	p := newPrinter(a, slices.Clone(columns)...)
	n, more := 0, false
	each := func(item json.RawMessage) error {
		n++
		return p.raw(item)
	}
	if limit > 0 {
		more, err = c.pages(cmd.Context(), path, query, limit, each)
	} else {
		err = c.export(cmd.Context(), path, query, each)
	}
	if err != nil {
		return err
	}
	if err := p.close(); err != nil {
		return err
	}
	switch {
	case more:
		fmt.Fprintf(a.stderr, "the first %d; all of them: --limit 0\n", n)
	case n == 0 && a.format == formatTable:
		fmt.Fprintln(a.stderr, none)
	}
	return nil
}
