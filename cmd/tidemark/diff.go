package main

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/api"
)

func newDiff(a *app) *cobra.Command {
	var from, to, axis string
	var when whenFlags
	cmd := &cobra.Command{
		Use:   "diff SOURCE/CONNECTION --from TIME",
		Short: "Compare a connection's states at two instants",
		Long: `Compare a connection's states at two instants, on either clock: what was true then, by all that is
known now (--axis valid), or what was known then (--axis known). The other clock may be held with
--known-at or --valid-at. Ends with 3 where a facet's value, or since when it holds, differs.`,
		Example: `  tidemark diff makini/conn_42 --from 24h
  tidemark diff makini/conn_42 --axis known --from 2026-03-01T12:00:00Z --to 2026-03-02T12:00:00Z`,
		Args:              exactly("SOURCE/CONNECTION"),
		ValidArgsFunction: a.completeTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			if from == "" {
				return usage(errors.New("--from is missing"), "when to compare with, as in --from 24h")
			}
			query := url.Values{"axis": {axis}}
			if err := errors.Join(when.into(a, query), a.setInstants(query, "from", from, "to", to)); err != nil {
				return err
			}
			var d api.Difference
			body, err := a.ask(cmd, args[0], "/diff", query, &d)
			if err != nil {
				return err
			}
			if a.format == formatJSON || a.format == formatJSONL {
				err = a.printJSON(body)
			} else {
				err = a.showDifference(&d)
			}
			if err == nil && d.Different {
				err = errUnhealthy
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "the first instant: "+timeForms)
	f.StringVar(&to, "to", "", "the second instant (default: now)")
	f.StringVar(&axis, "axis", "valid", "valid (what was true then) or known (what was known then)")
	when.register(cmd)
	_ = cmd.RegisterFlagCompletionFunc("axis", cobra.FixedCompletions([]string{"valid", "known"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) showDifference(d *api.Difference) error {
	type c = api.FacetChange
	at := instant
	if a.format == formatCSV {
		at = exact
	} else {
		clock := "what was true at each"
		if d.Axis == "known" {
			clock = "what was known at each"
		}
		fmt.Fprintf(a.stdout, "%s from %s to %s, %s; %s between\n", inert(target{d.Source, d.Connection}.String()),
			at(d.From), at(d.To), clock, count(d.Events, "event"))
		if d.Was == nil {
			fmt.Fprintln(a.stdout, "nothing of it was there at the first")
		}
		if !d.Different {
			fmt.Fprintln(a.stdout, "no facet differs")
			return nil
		}
		fmt.Fprintln(a.stdout)
	}
	return printAll(a, d.Changed, []column[c]{
		{name: "facet", cell: func(v c) string { return v.Facet }},
		{name: "was", cell: func(v c) string { return v.Was.Value }, tint: func(v c) tint { return healthTint(v.Was.Value) }},
		{name: "was since", cell: func(v c) string { return at(deref(v.Was.Since)) }},
		{name: "is", cell: func(v c) string { return v.Is.Value }, tint: func(v c) tint { return healthTint(v.Is.Value) }},
		{name: "is since", cell: func(v c) string { return at(deref(v.Is.Since)) }},
		{name: "event", cell: func(v c) string { return v.Is.Event }},
		{name: "why", cell: func(v c) string { return v.Is.Reason }},
	})
}
