package main

import (
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/api"
)

func newQuarantine(a *app) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "quarantine",
		Short: "List the events that the mapping could not place, and why",
		Long: `List the events that the mapping could not place, and why. They are authentic and kept:
they leave the quarantine when the definition is mended. Try one against a definition:

  curl -sS SERVER/v1/events/EVENT/raw > payload.json
  tidemark providers test makini --body payload.json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			type q = api.Quarantine
			return listPages(a, cmd, "/v1/quarantine", url.Values{}, limit, "the quarantine is empty", []column[q]{
				{name: "event", cell: func(v q) string { return v.Event }},
				{name: "source", cell: func(v q) string { return v.Source }},
				{name: "received", cell: func(v q) string {
					if a.format == formatCSV {
						return exact(v.ReceivedAt)
					}
					return instant(v.ReceivedAt)
				}},
				{name: "code", cell: func(v q) string { return v.Code }},
				{name: "position", csv: true, cell: func(v q) string { return strconv.FormatUint(v.Position, 10) }},
				{name: "index", csv: true, cell: func(v q) string { return strconv.FormatUint(uint64(v.Index), 10) }},
				{name: "why", cell: func(v q) string { return v.Reason }},
			})
		},
	}
	limitFlag(cmd, &limit)
	return cmd
}
