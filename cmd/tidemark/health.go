package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/spf13/cobra"
)

func newHealth(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "health",
		Short: "Ask the server whether it accepts webhooks and follows the log",
		Long: `Ask the server whether it accepts webhooks and follows the log (GET /readyz). Ends with 0 if it
does, 3 if not, and 5 if nobody answers: fit for a container's health check.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			status, body, err := c.fetch(cmd.Context(), "/readyz", nil)
			if err != nil {
				return err
			}
			// A server that is ready answers with Health, one that is not with a Problem: both have checks.
			var answer struct {
				Detail string
				Checks map[string]string
			}
			if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK && status != http.StatusServiceUnavailable {
				return fmt.Errorf("%s does not answer like Tidemark: HTTP %d", c.base, status)
			}
			type check struct {
				Part   string `json:"part"`
				Status string `json:"status"`
			}
			p := newPrinter(a,
				column[check]{name: "part", cell: func(v check) string { return v.Part }},
				column[check]{name: "status", cell: func(v check) string { return v.Status }, tint: func(v check) tint {
					if v.Status == "ok" {
						return green
					}
					return red
				}},
			)
			for _, part := range slices.Sorted(maps.Keys(answer.Checks)) {
				if err := p.item(check{part, answer.Checks[part]}); err != nil {
					return err
				}
			}
			if err := p.close(); err != nil {
				return err
			}
			if status != http.StatusOK {
				return errUnhealthy
			}
			return nil
		},
	}
}
