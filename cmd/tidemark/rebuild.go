package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/signal"

	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/api"
	"github.com/tidemark-dev/tidemark/projections/generations"
)

func newRebuild(a *app) *cobra.Command {
	var r api.RebuildRequest
	var detach bool
	var try sampling
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Make the state anew from the log, and see what comes out differently",
		Long: `Make the state anew from the log with the definitions that the server runs with, beside the state
that serves; then compare the two and let the new one take over. Webhooks and queries go on meanwhile.

It takes over only if every event of the log is accounted for. What it says differently is the
report: how many connections, which facets, from what to what, and the first event at which
old and new part. All differences, one a line: tidemark rebuild report -o jsonl.

It ends with 0 where nothing differs, 3 where something does, and 6 where the log is damaged or an
event is not accounted for. Ctrl-C stops following it; the rebuild goes on in the server, also over a restart.

Before paying for all of it, another definition can be tried on a sample; nothing is changed by that:

  --connection S/C              compare one connection, as it serves, with what its events in the log make of
                                it by the server's definitions. Events that are not on its timeline, but would
                                be by these definitions, are found by a rebuild alone.
  --connection S/C --what-if F  say what the definition in the file F would make of these events instead
  --since X --what-if F         the same for the events of one source from a position, a time (RFC 3339) or an
                                age (2h, 7d) on, at most --limit of them: which are read differently, and what
                                state the connections come to whose whole history is among them`,
		Example: `  tidemark rebuild --dry-run
  tidemark rebuild --review && tidemark rebuild promote
  tidemark rebuild rollback
  tidemark rebuild --since 7d --what-if ./mine.yaml --source makini`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			if r.DryRun && r.Review {
				return usage(errors.New("--dry-run takes nothing over, so there is nothing to review"), "")
			}
			if try.asked(cmd) {
				if r != (api.RebuildRequest{}) || detach {
					return usage(errors.New("--connection and --what-if only look, so they do not go with --dry-run, --review, --refold, --reason or --detach"), "")
				}
				return a.sample(cmd.Context(), &try)
			}
			return a.rebuild(cmd.Context(), r, detach)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&r.DryRun, "dry-run", false, "only report what would change")
	f.BoolVar(&r.Review, "review", false, "wait for rebuild promote or cancel after the report")
	f.BoolVar(&r.Refold, "refold", false, "fold the local history again, and leave the log alone: after a bug in the folding, not in a definition")
	f.StringVar(&r.Reason, "reason", "", "words for whoever looks at it later")
	try.flags(a, cmd)
	f.BoolVar(&detach, "detach", false, "begin it, and do not wait for its end")
	cmd.AddCommand(newRebuildStatus(a), newRebuildReport(a), newRebuildRollback(a),
		newSteer(a, "promote", "Let a rebuild that waits for review take over"),
		newSteer(a, "cancel", "End a rebuild that has not taken over, and remove what it made"),
		newSteer(a, "pause", "Let a rebuild wait"),
		newSteer(a, "resume", "Let a paused rebuild go on"))
	return cmd
}

// rebuild starts a rebuild and follows it to its end.
func (a *app) rebuild(ctx context.Context, r api.RebuildRequest, detach bool) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	body, err := c.post(ctx, "/v1/rebuilds", r)
	if err != nil {
		return err
	}
	var j api.Rebuild
	if err := json.Unmarshal(body, &j); err != nil || j.ID == "" {
		return fmt.Errorf("%s does not answer like Tidemark", c.base)
	}
	if !detach {
		return a.followRebuild(ctx, c, j.ID)
	}
	fmt.Fprintf(a.stderr, "begun; to follow it: %s rebuild status --follow\n", a.self)
	if a.format == formatJSON || a.format == formatJSONL {
		return a.printJSON(body)
	}
	_, err = fmt.Fprintln(a.stdout, j.ID)
	return err
}

// followRebuild shows how far a rebuild is until it has come to its end, or waits
// for review, and then tells what came out of it. Ctrl-C stops following alone.
func (a *app) followRebuild(ctx context.Context, c *client, id string) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	m := newRebuildMeter(a)
	var last api.Rebuild
	var raw json.RawMessage
	err := c.follow(ctx, id, func(j *api.Rebuild, text json.RawMessage) bool {
		last, raw = *j, text
		m.show(j)
		return j.State != generations.Review
	})
	m.end()
	if ctx.Err() != nil {
		return &failure{errors.New("no longer followed; the rebuild goes on"), exitError,
			"follow it again: " + a.self + " rebuild status --follow\nend it: " + a.self + " rebuild cancel " + id}
	}
	if err != nil {
		return err
	}
	return a.tellRebuild(&last, raw)
}

func newRebuildStatus(a *app) *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "status [ID]",
		Short: "Show which generation serves, and how far the last rebuild is",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			body, err := c.getRebuild(cmd.Context(), "/v1/rebuilds", nil)
			if err != nil {
				return err
			}
			var s api.RebuildStatus
			if err := json.Unmarshal(body, &s); err != nil {
				return fmt.Errorf("%s does not answer like Tidemark: %w", c.base, err)
			}
			id := "last"
			if len(args) > 0 {
				id = args[0]
			}
			if id != "last" && (s.Job == nil || s.Job.ID != id) {
				return &failure{fmt.Errorf("rebuild %q is not the last one, and no earlier one is kept", id), exitError, "the last one: " + a.self + " rebuild status"}
			}
			if follow && s.Job != nil && !s.Job.State.Ended() {
				return a.followRebuild(cmd.Context(), c, s.Job.ID)
			}
			if a.format == formatJSON || a.format == formatJSONL {
				return a.printJSON(body)
			}
			return a.showStatus(&s)
		},
	}
	cmd.Flags().BoolVar(&follow, "follow", false, "follow a rebuild under way to its end")
	return cmd
}

func newSteer(a *app, word, short string) *cobra.Command {
	return &cobra.Command{
		Use: word + " [ID]", Short: short, Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := "last"
			if len(args) > 0 {
				id = args[0]
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			body, err := c.post(cmd.Context(), "/v1/rebuilds/"+url.PathEscape(id)+"/"+word, nil)
			if err != nil {
				return err
			}
			var j api.Rebuild
			if err := json.Unmarshal(body, &j); err != nil {
				return fmt.Errorf("%s does not answer like Tidemark: %w", c.base, err)
			}
			if word == "promote" {
				if j, body, err = a.promoted(cmd.Context(), c, j, body); err != nil {
					return err
				}
			}
			if a.format == formatJSON || a.format == formatJSONL {
				return a.printJSON(body)
			}
			fmt.Fprintln(a.stderr, a.steered(word, &j))
			return nil
		},
	}
}

// promoted waits until a rebuild has taken over, and fails where it does not.
func (a *app) promoted(ctx context.Context, c *client, j api.Rebuild, body []byte) (api.Rebuild, []byte, error) {
	err := c.follow(ctx, j.ID, func(now *api.Rebuild, raw json.RawMessage) bool {
		j, body = *now, raw
		return true
	})
	if err == nil && j.State != generations.Promoted {
		err = a.rebuildFailed(&j)
	}
	return j, body, err
}

func (a *app) steered(word string, j *api.Rebuild) string {
	switch word {
	case "promote":
		return fmt.Sprintf("%s serves now; to go back: %s rebuild rollback", j.Generation, a.self)
	case "cancel":
		return fmt.Sprintf("%s is cancelled; what serves is as it was", j.ID)
	case "pause":
		return fmt.Sprintf("%s is paused at its next step; to go on: %s rebuild resume", j.ID, a.self)
	}
	return fmt.Sprintf("%s goes on", j.ID)
}

func newRebuildRollback(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "rollback",
		Short: "Let the generation before the serving one take over again",
		Long: `Let the generation before the serving one take over again, after bringing it up to date with the log.
Its history keeps the reading of its own definitions; new events are read by those of the server. With the
same definitions the next start begins no rebuild by itself.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			body, err := c.post(cmd.Context(), "/v1/rebuilds/rollback", nil)
			if err != nil {
				return err
			}
			if a.format == formatJSON || a.format == formatJSONL {
				return a.printJSON(body)
			}
			var r api.Rollback
			if err := json.Unmarshal(body, &r); err != nil {
				return fmt.Errorf("%s does not answer like Tidemark: %w", c.base, err)
			}
			fmt.Fprintf(a.stderr, "%s serves again in place of %s\n", r.To, r.From)
			return nil
		},
	}
}
