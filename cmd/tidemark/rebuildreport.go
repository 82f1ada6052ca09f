package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/api"
	"github.com/tidemark-dev/tidemark/projections/generations"
	"github.com/tidemark-dev/tidemark/projections/rebuild"
)

// errDiffers ends a command with exit code 3 after it printed what differs.
var errDiffers = &failure{errors.New(""), exitDifferent, ""}

// tellRebuild tells what came out of a rebuild, and returns what it means.
func (a *app) tellRebuild(j *api.Rebuild, raw json.RawMessage) error {
	failed := a.rebuildFailed(j)
	if a.format == formatJSON || a.format == formatJSONL {
		if err := a.printJSON(raw); err != nil {
			return err
		}
	} else if failed == nil {
		if err := a.showRebuild(j); err != nil {
			return err
		}
	}
	if failed != nil {
		return failed
	}
	if saysOtherwise(j.Report) || j.Uncompared != "" {
		return errDiffers
	}
	return nil
}

// saysOtherwise reports whether a rebuild says anything differently.
func saysOtherwise(r *rebuild.Report) bool {
	return r != nil && (r.Differs() || r.OldQuarantine != r.NewQuarantine)
}

// rebuildFailed is why a rebuild did not come to a good end, nil where it did.
func (a *app) rebuildFailed(j *api.Rebuild) error {
	switch {
	case j.State == generations.Cancelled:
		why := "it was cancelled"
		if j.Error != "" {
			why = j.Error
		}
		return &failure{fmt.Errorf("rebuild %s did not come to its end: %s", j.ID, why), exitError, "what serves is as it was"}
	case j.State == generations.Failed && j.Integrity:
		return &failure{fmt.Errorf("rebuild %s failed: %s", j.ID, j.Error), exitIntegrity, "what serves is as it was. The log is damaged, or events are missing: " + a.self + " health"}
	case j.State == generations.Failed:
		return &failure{fmt.Errorf("rebuild %s failed: %s", j.ID, j.Error), exitError, "what serves is as it was"}
	}
	return nil
}

// showRebuild prints a report for people: counts first, then what changed from what
// to what, the most frequent first, with some connections of each.
func (a *app) showRebuild(j *api.Rebuild) error {
	if r := j.Result; r != nil {
		a.say("%s: %s events at %s positions, all accounted for: %s placed, %s, %s quarantined\n", j.ID,
			thousands(r.Events), thousands(r.Positions), thousands(r.Placed), many(r.Duplicates, "duplicate"), thousands(r.Quarantined))
	}
	if j.Uncompared != "" {
		a.say("it is compared with nothing, for what served was damaged: %s\n", inert(j.Uncompared))
	}
	if err := a.showReport(j.Report); err != nil {
		return err
	}
	switch j.State {
	case generations.Promoted:
		fmt.Fprintf(a.stderr, "%s serves now; to go back: %s rebuild rollback\n", j.Generation, a.self)
	case generations.Review:
		fmt.Fprintf(a.stderr, "it waits for you: %s rebuild promote %s, or %s rebuild cancel %s\n", a.self, j.ID, a.self, j.ID)
	case generations.Reported:
		fmt.Fprintf(a.stderr, "nothing was changed\n")
	}
	if saysOtherwise(j.Report) {
		fmt.Fprintf(a.stderr, "every difference, one a line: %s rebuild report -o jsonl\n", a.self)
	}
	return nil
}

func (a *app) showReport(r *rebuild.Report) error {
	if r == nil {
		return nil
	}
	if !r.Differs() {
		a.say("none of %s differs\n", many(r.Compared, "connection"))
	} else {
		a.say("%s of %s differ: %s changed, %s new, %s gone\n", thousands(r.Changed+r.Added+r.Removed), many(r.Compared, "connection"),
			thousands(r.Changed), thousands(r.Added), thousands(r.Removed))
	}
	if r.OldQuarantine+r.NewQuarantine > 0 {
		a.say("quarantine: %s before, %s now\n", many(r.OldQuarantine, "event"), thousands(r.NewQuarantine))
	}
	if len(r.Groups) == 0 {
		return nil
	}
	a.say("\n")
	p := newPrinter(a, groupColumns()...)
	for _, g := range r.Groups {
		for i, s := range g.Sample {
			if err := p.item(groupRow{g, s, i == 0}); err != nil {
				return err
			}
		}
	}
	return p.close()
}

// groupRow is one connection of a group; the first one says what the group is.
type groupRow struct {
	rebuild.Group
	sample rebuild.Sample
	first  bool
}

func groupColumns() []column[groupRow] {
	once := func(cell func(groupRow) string) func(groupRow) string {
		return func(r groupRow) string {
			if !r.first {
				return ""
			}
			return cell(r)
		}
	}
	parted := func(cell func(*rebuild.Parting) string) func(groupRow) string {
		return func(r groupRow) string {
			if r.sample.At == nil {
				return ""
			}
			return cell(r.sample.At)
		}
	}
	return []column[groupRow]{
		{name: "connections", cell: once(func(r groupRow) string { return thousands(r.Connections) })},
		{name: "facet", cell: once(func(r groupRow) string { return r.Facet })},
		{name: "was", cell: once(func(r groupRow) string { return or(r.Old, "-") })},
		{name: "is", cell: once(func(r groupRow) string {
			switch {
			case r.Old == r.New && r.Old != "":
				return "the same, for another time or reason"
			case r.Facet == "counts":
				return "counted differently"
			}
			return or(r.New, "-")
		})},
		{name: "for example", cell: func(r groupRow) string { return target{r.sample.Source, r.sample.Connection}.String() }},
		{name: "they part at", cell: parted(func(p *rebuild.Parting) string { return p.Event })},
		{name: "of", cell: parted(func(p *rebuild.Parting) string { return instant(p.EffectiveAt) })},
		{name: "read before", cell: parted(func(p *rebuild.Parting) string { return reading(p.Old) })},
		{name: "read now", cell: parted(func(p *rebuild.Parting) string { return reading(p.New) })},
	}
}

// reading is how a generation reads an event.
func reading(r *rebuild.Reading) string {
	if r == nil {
		return "not placed there"
	}
	return strings.TrimSpace(r.Type + " " + sets(r.Sets))
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// many is a large number with its word.
func many(n uint64, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return thousands(n) + " " + word + "s"
}

func (a *app) showStatus(s *api.RebuildStatus) error {
	back := "there is none to roll back to"
	if s.Previous != "" {
		back = "the one before is " + s.Previous
	}
	a.say("generation %s serves; %s\n", s.Serving, back)
	if len(s.Outdated) > 0 {
		a.say("definitions have changed since it was made: %s\n", inert(strings.Join(s.Outdated, ", ")))
	}
	if len(s.OutdatedProjections) > 0 {
		a.say("another version of the program made: %s\n", inert(strings.Join(s.OutdatedProjections, ", ")))
	}
	j := s.Job
	if j == nil {
		a.say("nothing was rebuilt yet\n")
		return nil
	}
	reason := ""
	if j.Request.Reason != "" {
		reason = " (" + inert(j.Request.Reason) + ")"
	}
	a.say("rebuild %s of %s%s is %s\n", j.ID, instant(j.StartedAt), reason, stepOf(j))
	if !j.State.Ended() && j.State != generations.Review {
		a.say("%s\n", newRebuildMeter(a).line(j, stepOf(j), false))
		return nil
	}
	if j.Error != "" {
		a.say("%s\n", inert(j.Error))
	}
	if j.Report == nil && j.Uncompared == "" {
		return nil
	}
	return a.showRebuild(j)
}

func newRebuildReport(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "report [ID]",
		Short: "Print what a rebuild says differently: -o jsonl or csv for every difference",
		Long: `Print what a rebuild says differently. As a table it is summed up; in the other formats it is every
connection that differs, however many there are, ordered by source and connection.`,
		Example: "  tidemark rebuild report\n  tidemark rebuild report -o jsonl | jq -r .connection",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := "last"
			if len(args) > 0 {
				id = args[0]
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			if a.format != formatTable {
				return a.streamReport(cmd, c, id)
			}
			body, err := c.getRebuild(cmd.Context(), "/v1/rebuilds/"+url.PathEscape(id), nil)
			if err != nil {
				return err
			}
			var j api.Rebuild
			if err := json.Unmarshal(body, &j); err != nil {
				return fmt.Errorf("%s does not answer like Tidemark: %w", c.base, err)
			}
			if j.Report == nil {
				return &failure{fmt.Errorf("rebuild %s has no report: it is %s", j.ID, stepOf(&j)), exitError, "how far it is: " + a.self + " rebuild status"}
			}
			return a.showReport(j.Report)
		},
	}
}

// streamReport prints every difference as it comes.
func (a *app) streamReport(cmd *cobra.Command, c *client, id string) error {
	req, err := c.request(cmd.Context(), http.MethodGet, "/v1/rebuilds/"+url.PathEscape(id)+"/report", nil)
	if err != nil {
		return err
	}
	resp, err := c.patient().Do(req)
	if err != nil {
		return c.unreachable(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		if err != nil {
			return c.unreachable(err)
		}
		return c.refusedRebuild(resp.StatusCode, body)
	}
	p := newPrinter(a, changeColumns()...)
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return p.close()
		}
		if err != nil {
			return fmt.Errorf("the report broke off: %w", err)
		}
		if err := p.raw(line); err != nil {
			return err
		}
	}
}

func changeColumns() []column[api.RebuildChange] {
	type c = api.RebuildChange
	facets := func(cell func(*rebuild.FacetChange) string) func(c) string {
		return func(v c) string {
			var all []string
			for i := range v.Facets {
				all = append(all, cell(&v.Facets[i]))
			}
			return strings.Join(all, " ")
		}
	}
	first := func(cell func(*rebuild.Parting) string) func(c) string {
		return func(v c) string {
			if v.First == nil {
				return ""
			}
			return cell(v.First)
		}
	}
	return []column[c]{
		{name: "source", cell: func(v c) string { return v.Source }},
		{name: "connection", cell: func(v c) string { return v.Connection }},
		{name: "kind", cell: func(v c) string { return v.Kind }},
		{name: "facets", cell: facets(func(f *rebuild.FacetChange) string { return f.Facet })},
		{name: "was", cell: facets(func(f *rebuild.FacetChange) string { return f.Facet + "=" + f.Old })},
		{name: "is", cell: facets(func(f *rebuild.FacetChange) string { return f.Facet + "=" + f.New })},
		{name: "first event", cell: first(func(p *rebuild.Parting) string { return p.Event })},
		{name: "position", cell: first(func(p *rebuild.Parting) string { return strconv.FormatUint(p.Position, 10) })},
		{name: "effective at", cell: first(func(p *rebuild.Parting) string { return exact(p.EffectiveAt) })},
	}
}
