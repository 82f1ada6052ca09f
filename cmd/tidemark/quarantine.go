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

func newQuarantine(a *app) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "quarantine",
		Short: "List the events that the mapping could not place, and why",
		Long: `List the events that the mapping could not place, and why. They are authentic and kept:
they leave the quarantine when the definition is mended. Try one against a definition:

  curl -sS SERVER/v1/events/EVENT/raw > payload.json
  tidemark providers test makini --body payload.json

A server that starts with the mended definition makes the state anew in the background, which takes them in.
To have them at once: tidemark quarantine retry`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
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
	cmd.AddCommand(newQuarantineRetry(a))
	return cmd
}

func newQuarantineRetry(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "retry",
		Short: "Let events that the definitions can place by now leave the quarantine at once",
		Long: `Let events that the definitions of the running server can place by now leave the quarantine at once,
without a rebuild. Each takes the place that a rebuild would give it. An event that cannot have it is left
and named: where a later delivery under its id was placed in the meantime, only a rebuild can tell it for the
duplicate that it is. Then it ends with 3, as it does while others stay that cannot be placed.

Events that were placed before keep their reading until a rebuild.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			body, err := c.post(cmd.Context(), "/v1/quarantine/retry", nil)
			if err != nil {
				return err
			}
			var r api.Retried
			if err := json.Unmarshal(body, &r); err != nil {
				return fmt.Errorf("%s does not answer like Tidemark: %w", c.base, err)
			}
			if a.format == formatJSON || a.format == formatJSONL {
				if err := a.printJSON(body); err != nil {
					return err
				}
			} else if err := a.showRetried(&r); err != nil {
				return err
			}
			if r.Kept+r.NeedRebuild > 0 {
				return errDiffers
			}
			return nil
		},
	}
}

func (a *app) showRetried(r *api.Retried) error {
	a.say("%s were in the quarantine: %s placed, %s, %s still cannot be placed, %s a rebuild\n",
		many(r.Tried, "event"), thousands(r.Placed), many(r.Duplicates, "duplicate"), thousands(r.Kept), needs(r.NeedRebuild))
	if len(r.Left) > 0 {
		a.say("\n")
		p := newPrinter(a,
			column[projections.Left]{name: "event", cell: func(v projections.Left) string { return v.Event }},
			column[projections.Left]{name: "source", cell: func(v projections.Left) string { return v.Source }},
			column[projections.Left]{name: "why it needs a rebuild", cell: func(v projections.Left) string { return v.Reason }},
		)
		for _, l := range r.Left {
			if err := p.item(l); err != nil {
				return err
			}
		}
		if err := p.close(); err != nil {
			return err
		}
		fmt.Fprintf(a.stderr, "they take their places in a rebuild: %s rebuild\n", a.self)
	}
	if len(r.Outdated) > 0 {
		fmt.Fprintf(a.stderr, "events of %s that were placed before were read by another definition, until a rebuild\n", inert(strings.Join(r.Outdated, ", ")))
	}
	return nil
}

func needs(n uint64) string {
	if n == 1 {
		return "1 needs"
	}
	return thousands(n) + " need"
}
