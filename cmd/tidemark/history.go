package main

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/api"
)

func newHistory(a *app) *cobra.Command {
	var from, to, kind, order string
	var limit int
	var when whenFlags
	cmd := &cobra.Command{
		Use:   "history SOURCE/CONNECTION",
		Short: "Show a connection's events in the order in which they happened",
		Long: `Show a connection's events in the order in which they happened, the latest first.
The order is that of the provider's clock, whatever the order of arrival. Flags:

  late        it arrived after an event that happened later
  clock_skew  its own time was not usable, so the time of receipt stands in for it
  conflict    it was delivered again under the same id with other bytes
  redacted    values of it were replaced by keyed hashes before it was stored`,
		Example:           "  tidemark history makini/conn_42\n  tidemark history makini/conn_42 --from 24h --order asc",
		Args:              exactly("SOURCE/CONNECTION"),
		ValidArgsFunction: a.completeTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := parseTarget(args[0])
			if err != nil {
				return err
			}
			query := url.Values{"order": {order}}
			if kind != "" {
				query.Set("type", kind)
			}
			if err := a.setInstants(query, "from", from, "to", to); err != nil {
				return err
			}
			if err := when.into(a, query); err != nil {
				return err
			}
			return listPages(a, cmd, connectionPath(t.source, t.connection)+"/events", query, limit, "no events", entryColumns(a))
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "only events at or after this time: RFC 3339, or how long ago (24h, 7d)")
	f.StringVar(&to, "to", "", "only events before this time")
	f.StringVar(&kind, "type", "", "only events of this type")
	f.StringVar(&order, "order", "desc", "desc (latest first) or asc")
	limitFlag(cmd, &limit)
	when.register(cmd)
	_ = cmd.RegisterFlagCompletionFunc("order", cobra.FixedCompletions([]string{"desc", "asc"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func entryColumns(a *app) []column[api.Entry] {
	type e = api.Entry
	at := instant
	if a.format == formatCSV {
		at = exact
	}
	return []column[e]{
		{name: "happened", cell: func(v e) string { return at(v.EffectiveAt) }},
		{name: "occurred", csv: true, cell: func(v e) string { return exact(deref(v.OccurredAt)) }},
		{name: "received", cell: func(v e) string { return at(v.ReceivedAt) }},
		{name: "type", cell: func(v e) string { return v.Type }},
		{name: "sets", cell: func(v e) string { return sets(v.Sets) }},
		{name: "flags", cell: func(v e) string { return strings.Join(v.Flags, " ") }},
		{name: "deliveries", cell: func(v e) string { return strconv.FormatUint(v.Deliveries, 10) }},
		{name: "time source", csv: true, cell: func(v e) string { return v.TimeSource }},
		{name: "position", csv: true, cell: func(v e) string { return strconv.FormatUint(v.Position, 10) }},
		{name: "event", cell: func(v e) string { return v.Event }},
		{name: "why", cell: func(v e) string {
			d := v.Detail
			request := ""
			if d.RequestID != "" {
				request = "request " + d.RequestID
			}
			expires := ""
			if d.ExpiresAt != nil {
				expires = "expires " + instant(*d.ExpiresAt)
			}
			return words(d.Reason, strings.TrimSpace(d.Code+" "+d.Message), request, expires)
		}},
	}
}

// sets lists facets and values in a fixed order.
func sets(m map[string]string) string {
	var out []string
	for facet, value := range m {
		out = append(out, facet+"="+value)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}
