package main

import (
	"net/url"

	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/api"
)

func newCorrections(a *app) *cobra.Command {
	var from, to, order string
	var limit int
	cmd := &cobra.Command{
		Use:   "corrections SOURCE/CONNECTION",
		Short: "List what late events changed of a connection's past",
		Long: `List what late events changed of a connection's past: from when to when a facet was taken for
something else, what it was, and since when we know it.`,
		Example:           "  tidemark corrections makini/conn_42\n  tidemark corrections makini/conn_42 --from 7d -o csv",
		Args:              exactly("SOURCE/CONNECTION"),
		ValidArgsFunction: a.completeTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := parseTarget(args[0])
			if err != nil {
				return err
			}
			query := url.Values{"order": {order}}
			if err := a.setInstants(query, "from", from, "to", to); err != nil {
				return err
			}
			return listPages(a, cmd, connectionPath(t.source, t.connection)+"/corrections", query, limit, "no late event changed anything", correctionColumns(a))
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "only late events that happened at or after this time: "+timeForms)
	f.StringVar(&to, "to", "", "only late events that happened before this time")
	f.StringVar(&order, "order", "desc", "desc (latest first) or asc")
	limitFlag(cmd, &limit)
	_ = cmd.RegisterFlagCompletionFunc("order", cobra.FixedCompletions([]string{"desc", "asc"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func correctionColumns(a *app) []column[api.Correction] {
	type c = api.Correction
	at := instant
	if a.format == formatCSV {
		at = exact
	}
	return []column[c]{
		{name: "facet", cell: func(v c) string { return v.Facet }},
		{name: "from", cell: func(v c) string { return at(v.From) }},
		{name: "to", cell: func(v c) string { return at(deref(v.To)) }},
		{name: "was", cell: func(v c) string { return v.Was }, tint: func(v c) tint { return healthTint(v.Was) }},
		{name: "is", cell: func(v c) string { return v.Is }, tint: func(v c) tint { return healthTint(v.Is) }},
		{name: "learned", cell: func(v c) string { return at(v.LearnedAt) }},
		{name: "type", cell: func(v c) string { return v.Type }},
		{name: "event", cell: func(v c) string { return v.Event }},
	}
}
