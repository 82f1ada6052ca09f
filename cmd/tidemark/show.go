package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/projections/connections"
)

func newShow(a *app) *cobra.Command {
	var when whenFlags
	cmd := &cobra.Command{
		Use:   "show SOURCE/CONNECTION",
		Short: "Show the state of a connection, since when and why, now or as of an instant",
		Example: `  tidemark show makini/conn_42
  tidemark show makini/conn_42 -o json | jq .sync
  tidemark show makini/conn_42 --valid-at 24h --known-at 24h`,
		Args:              exactly("SOURCE/CONNECTION"),
		ValidArgsFunction: a.completeTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := parseTarget(args[0])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			query := url.Values{}
			if err := when.into(a, query); err != nil {
				return err
			}
			body, err := c.get(cmd.Context(), connectionPath(t.source, t.connection), query)
			if err != nil {
				return err
			}
			if a.format == formatJSON || a.format == formatJSONL {
				return a.printJSON(body)
			}
			if a.format == formatCSV {
				p := newPrinter(a, connectionColumns(a)...)
				if err := p.raw(body); err != nil {
					return err
				}
				return p.close()
			}
			var s connections.State
			if err := json.Unmarshal(body, &s); err != nil {
				return fmt.Errorf("the server answers in a form that this program does not read: %w", err)
			}
			return a.showState(&s)
		},
	}
	when.register(cmd)
	return cmd
}

// showState prints a state for people: the health and why, each facet with the
// event that set it, and what was delivered.
func (a *app) showState(s *connections.State) error {
	health := s.Health
	if a.colours() {
		health = healthTint(health).paint(health)
	}
	fmt.Fprintf(a.stdout, "%s %s %s%s", inert(target{s.Source, s.Connection}.String()), is(s.AsOf), health, asOf(s.AsOf))
	// "offline" for the reason of "offline" says nothing more.
	if why := strings.TrimPrefix(strings.TrimPrefix(s.HealthReason, s.Health), ": "); why != "" {
		fmt.Fprintf(a.stdout, ": %s", inert(why))
	}
	fmt.Fprint(a.stdout, "\n\n")

	type row struct {
		facet string
		connections.FacetState
		why string
	}
	p := newPrinter(a,
		column[row]{name: "facet", cell: func(r row) string { return r.facet }},
		column[row]{name: "value", cell: func(r row) string { return r.Value }, tint: func(r row) tint { return healthTint(r.Value) }},
		column[row]{name: "since", cell: func(r row) string { return instant(deref(r.Since)) }},
		column[row]{name: "for", cell: func(r row) string {
			if r.Since == nil {
				return ""
			}
			return span(then(s.AsOf, a.now()).Sub(*r.Since))
		}},
		column[row]{name: "event", cell: func(r row) string { return r.Event }},
		column[row]{name: "why", cell: func(r row) string { return r.why }},
	)
	for _, r := range []row{
		{"lifecycle", s.Lifecycle, s.Lifecycle.Reason},
		{"connectivity", s.Connectivity, s.Connectivity.Reason},
		{"auth", s.Auth.FacetState, authWhy(s.Auth)},
		{"sync", s.Sync.FacetState, syncWhy(s.Sync)},
		{"error", s.Error.FacetState, words(s.Error.Reason, failureWords(&s.Error.Failure))},
	} {
		if err := p.item(r); err != nil {
			return err
		}
	}
	if err := p.close(); err != nil {
		return err
	}
	c := s.Counts
	_, err := fmt.Fprintf(a.stdout, "\n%s, %d late; %s, %s\nfirst %s, last %s, received %s\n",
		count(c.Events, "event"), c.Late, count(c.Duplicates, "duplicate"), count(c.Conflicts, "conflict"),
		instant(deref(s.FirstEventAt)), instant(deref(s.LastEventAt)), instant(deref(s.LastReceived)))
	return err
}

func authWhy(s connections.AuthState) string {
	if s.ExpiresAt == nil {
		return s.Reason
	}
	return words(s.Reason, "expires "+instant(*s.ExpiresAt))
}

func syncWhy(s connections.SyncState) string {
	failures, success := "", ""
	if s.ConsecutiveFailures > 0 {
		failures = fmt.Sprintf("%d in a row", s.ConsecutiveFailures)
		if success = "no success yet"; s.LastSuccessAt != nil {
			success = "last success " + instant(*s.LastSuccessAt)
		}
	}
	return words(s.Reason, failureWords(s.Error), failures, success)
}

func failureWords(f *connections.Failure) string {
	if f == nil {
		return ""
	}
	text := strings.TrimSpace(f.Code + " " + f.Message)
	if f.RequestID != "" {
		text = words(text, "request "+f.RequestID)
	}
	return text
}

// count is a number with its word.
func count[N int | uint64](n N, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// words joins what there is to say.
func words(parts ...string) string {
	var said []string
	for _, p := range parts {
		if p != "" {
			said = append(said, p)
		}
	}
	return strings.Join(said, "; ")
}
