package main

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/api"
	"github.com/tidemark-dev/tidemark/ingest/providers"
)

var bucketNames = []string{"none", "hour", "day", "week"}

func newStats(a *app) *cobra.Command {
	var from, to, bucket, knownAt string
	cmd := &cobra.Command{
		Use:   "stats SOURCE/CONNECTION",
		Short: "Show for how long a connection was in which state, and how its syncs went",
		Long: `Show for how long a connection was in which state, and how its syncs went, between two instants
and bucket by bucket (of UTC; weeks begin on Monday). It is exact whatever came late. AVAILABLE is the
share of the time at which connectivity was known that it was online.`,
		Example:           "  tidemark stats makini/conn_42 --from 7d --bucket day\n  tidemark stats makini/conn_42 -o json | jq .total.availability",
		Args:              exactly("SOURCE/CONNECTION"),
		ValidArgsFunction: a.completeTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			query := url.Values{"bucket": {bucket}}
			if err := a.setInstants(query, "from", from, "to", to, "known-at", knownAt); err != nil {
				return err
			}
			var h api.History
			body, err := a.ask(cmd, args[0], "/stats", query, &h)
			if err != nil {
				return err
			}
			if a.format == formatJSON {
				return a.printJSON(body)
			}
			if a.format == formatTable && len(h.Items) != 1 {
				fmt.Fprintf(a.stderr, "the last line is the whole: %s to %s\n", instant(h.From), instant(h.To))
				h.Items = append(h.Items, h.Total)
			}
			return printAll(a, h.Items, statsColumns(a))
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "the beginning (default: the first event): "+timeForms)
	f.StringVar(&to, "to", "", "the end (default: now)")
	f.StringVar(&bucket, "bucket", "none", "none, hour, day or week")
	f.StringVar(&knownAt, "known-at", "", "by what had been received then: "+timeForms)
	_ = cmd.RegisterFlagCompletionFunc("bucket", cobra.FixedCompletions(bucketNames, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func statsColumns(a *app) []column[api.RangeStats] {
	type s = api.RangeStats
	at := instant
	if a.format == formatCSV {
		at = exact
	}
	held := func(v s, facet, value string) string {
		if n := v.Facets[facet].Seconds[value]; n > 0 {
			return span(time.Duration(n * float64(time.Second)))
		}
		return ""
	}
	columns := []column[s]{
		{name: "from", cell: func(v s) string { return at(v.From) }},
		{name: "to", cell: func(v s) string { return at(v.To) }},
		{name: "events", cell: func(v s) string { return strconv.FormatUint(v.Events, 10) }},
		{name: "late", cell: func(v s) string { return strconv.FormatUint(v.Late, 10) }},
		{name: "available", cell: func(v s) string { return a.share(v.Availability) }},
		{name: "syncs", cell: func(v s) string { return strconv.FormatUint(v.Sync.Succeeded+v.Sync.Failed, 10) }},
		{name: "succeeded", cell: func(v s) string { return a.share(v.Sync.SuccessRate) }},
	}
	if a.format != formatCSV {
		return append(columns,
			column[s]{name: "offline", cell: func(v s) string { return held(v, "connectivity", "offline") }},
			column[s]{name: "auth required", cell: func(v s) string { return held(v, "auth", "required") }},
			column[s]{name: "sync failed", cell: func(v s) string { return held(v, "sync", "failed") }},
			column[s]{name: "error open", cell: func(v s) string { return held(v, "error", "open") }})
	}
	for f := providers.Facet(0); f < providers.NumFacets; f++ {
		facet := f.String()
		columns = append(columns, column[s]{name: facet + " transitions", cell: func(v s) string {
			return strconv.FormatUint(v.Facets[facet].Transitions, 10)
		}})
		for _, value := range f.Values() {
			columns = append(columns, column[s]{name: facet + " " + value + " seconds", cell: func(v s) string {
				return strconv.FormatFloat(v.Facets[facet].Seconds[value], 'f', -1, 64)
			}})
		}
	}
	return columns
}

// share is a part of a whole: a percentage for people, a number from 0 to 1 as
// data, and nothing where there is no whole.
func (a *app) share(v *float64) string {
	switch {
	case v == nil:
		return ""
	case a.format == formatCSV:
		return strconv.FormatFloat(*v, 'f', -1, 64)
	}
	return strconv.FormatFloat(*v*100, 'f', 2, 64) + "%"
}
