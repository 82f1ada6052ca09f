package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/api"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/whatif"
)

// sampling is what the flags ask of a sample.
type sampling struct {
	connection, since, whatIf, source string
	limit                             int
}

var tryFlags = []string{"connection", "since", "what-if", "source", "limit"}

func (t *sampling) flags(a *app, cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&t.connection, "connection", "", "look at one connection alone (SOURCE/CONNECTION), and change nothing")
	f.StringVar(&t.whatIf, "what-if", "", "try the definition in this file on a sample, and change nothing")
	f.StringVar(&t.since, "since", "", "the sample: events from this position, time or age (7d) on")
	f.StringVar(&t.source, "source", "", "the sample: events of this source (needed where there are several)")
	f.IntVar(&t.limit, "limit", 10_000, fmt.Sprintf("the sample: at most this many events, at most %d", whatif.MaxLimit))
	_ = cmd.RegisterFlagCompletionFunc("source", func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return a.completeSource(cmd, nil, typed)
	})
	_ = cmd.RegisterFlagCompletionFunc("connection", func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return a.completeTarget(cmd, nil, typed)
	})
}

func (t *sampling) asked(cmd *cobra.Command) bool {
	for _, name := range tryFlags {
		if cmd.Flags().Changed(name) {
			return true
		}
	}
	return false
}

// request is what is asked of the server.
func (t *sampling) request(ctx context.Context, a *app, c *client) (r api.TryRequest, err error) {
	r.Source, r.Limit = t.source, t.limit
	switch {
	case t.limit < 1 || t.limit > whatif.MaxLimit:
		return r, usage(fmt.Errorf("--limit: %d is not from 1 to %d", t.limit, whatif.MaxLimit), "")
	case t.connection == "" && t.whatIf == "":
		return r, usage(errors.New("--what-if is missing: which definition is to be tried?"), "as in: "+a.self+" rebuild --since 7d --what-if ./mine.yaml")
	case t.connection == "" && t.since == "":
		return r, usage(errors.New("--since is missing: from where on are events to be looked at?"), "a position, a time or an age; 1 for the log's beginning")
	case t.connection != "" && (t.since != "" || t.source != ""):
		return r, usage(errors.New("--connection looks at all events of one connection, so it does not go with --since or --source"), "")
	}
	if t.connection != "" {
		at, err := parseTarget(t.connection)
		if err != nil {
			return r, err
		}
		r.Source, r.Connection = at.source, at.connection
	}
	if n, err := strconv.ParseUint(t.since, 10, 64); err == nil {
		r.From = n
	} else if t.since != "" {
		if r.Since, err = a.parseInstant("since", t.since); err != nil {
			return r, err
		}
	}
	if t.whatIf != "" {
		d, err := providers.Load(t.whatIf)
		if err != nil {
			return r, usage(err, "")
		}
		// The server reads no file: it is sent what the definition and those that it extends make together.
		r.Definition, r.Name = string(d.Text()), filepath.Base(t.whatIf)
	}
	if r.Source == "" {
		r.Source, err = a.onlySource(ctx, c)
	}
	return r, err
}

// onlySource is the server's source, if it has one alone.
func (a *app) onlySource(ctx context.Context, c *client) (string, error) {
	body, err := c.get(ctx, "/v1/stats", nil)
	if err != nil {
		return "", err
	}
	var s api.Stats
	if err := json.Unmarshal(body, &s); err != nil {
		return "", fmt.Errorf("%s does not answer like Tidemark: %w", c.base, err)
	}
	var names []string
	for name := range s.Connections.BySource {
		names = append(names, name)
	}
	if len(names) != 1 {
		return "", usage(errors.New("--source is missing: the server has several sources, or none"), "")
	}
	return names[0], nil
}

// sample looks at a sample and tells what came of it.
func (a *app) sample(ctx context.Context, t *sampling) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	r, err := t.request(ctx, a, c)
	if err != nil {
		return err
	}
	body, err := c.post(ctx, "/v1/rebuilds/try", r)
	if err != nil {
		return err
	}
	var got api.Trial
	if err := json.Unmarshal(body, &got); err != nil {
		return fmt.Errorf("%s does not answer like Tidemark: %w", c.base, err)
	}
	if a.format == formatJSON || a.format == formatJSONL {
		err = a.printJSON(body)
	} else {
		err = a.showTrial(&r, &got)
	}
	if err == nil && got.Differ+got.Changed > 0 {
		err = errDiffers
	}
	return err
}

func (a *app) showTrial(r *api.TryRequest, t *api.Trial) error {
	cut := ""
	if t.Cut {
		cut = ", where --limit ends"
	}
	a.say("looked at %s, from position %s to %s%s\n", many(t.Events, "event"), thousands(t.From), thousands(t.To), cut)
	if r.Definition != "" {
		a.say("read differently: %s\n", thousands(t.Differ))
		if err := a.showTrialGroups(t); err != nil {
			return err
		}
	}
	a.say("in another state: %s of %s with the whole history among these events", thousands(t.Changed), many(t.Whole, "connection"))
	if t.Partial > 0 {
		a.say("; nothing is said of %s others", thousands(t.Partial))
	}
	a.say("\n")
	if a.format == formatTable { // CSV is one table
		if err := a.showTrialStates(t); err != nil {
			return err
		}
	}
	fmt.Fprintf(a.stderr, "nothing was changed; what a rebuild with the server's definitions changes: %s rebuild --dry-run\n", a.self)
	return nil
}

func (a *app) showTrialGroups(t *api.Trial) error {
	if len(t.Groups) == 0 {
		return nil
	}
	type g = whatif.Group
	a.say("\n")
	p := newPrinter(a,
		column[g]{name: "events", cell: func(v g) string { return thousands(v.Events) }},
		column[g]{name: "what", cell: func(v g) string { return v.What }},
		column[g]{name: "was", cell: func(v g) string { return or(v.Old, "-") }},
		column[g]{name: "is", cell: func(v g) string { return or(v.New, "-") }},
		column[g]{name: "for example", cell: func(v g) string { return strings.Join(v.Sample[:min(2, len(v.Sample))], " ") }},
	)
	for _, one := range t.Groups {
		if err := p.item(one); err != nil {
			return err
		}
	}
	if err := p.close(); err != nil {
		return err
	}
	a.say("\n")
	return nil
}

// shownStates is how many connections a table shows.
const shownStates = 20

func (a *app) showTrialStates(t *api.Trial) error {
	if len(t.States) == 0 {
		return nil
	}
	type s = whatif.StateChange
	a.say("\n")
	p := newPrinter(a,
		column[s]{name: "connection", cell: func(v s) string { return target{v.Source, v.Connection}.String() }},
		column[s]{name: "differs in", cell: func(v s) string { return strings.Join(v.What, " ") }},
		column[s]{name: "was", cell: func(v s) string { return inBrief(v.Old) }},
		column[s]{name: "is", cell: func(v s) string { return inBrief(v.New) }},
	)
	for _, one := range t.States[:min(shownStates, len(t.States))] {
		if err := p.item(one); err != nil {
			return err
		}
	}
	if err := p.close(); err != nil {
		return err
	}
	if t.Changed > shownStates {
		fmt.Fprintf(a.stderr, "the first %d; the first 200 with all there is to say: -o json\n", shownStates)
	}
	return nil
}

// inBrief is a state in a few words.
func inBrief(s *connections.State) string {
	if s == nil {
		return "not there"
	}
	if why := strings.TrimPrefix(s.HealthReason, s.Health); why != "" {
		return s.Health + ": " + strings.TrimPrefix(why, ": ")
	}
	return s.Health
}
