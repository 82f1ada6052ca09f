package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/api"
)

func newVerify(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Prove that the state is what the log says, byte for byte",
		Long: `Prove that the state is what the log says: the server makes it anew from the log beside the state that
serves, and compares every row of both, byte for byte. On the way every event's checksum is checked,
positions must have no gap, and the log must not end before what was read of it.

It ends with 0 where all is equal, and with 6 where something differs or the log is damaged. Where
definitions were changed since the serving state was made, a difference is to be expected: then it ends with 3.
Nothing is changed. It needs the disk space of a second state while it runs.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.verify(cmd.Context()) },
	}
}

func (a *app) verify(ctx context.Context) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	body, err := c.post(ctx, "/v1/rebuilds", api.RebuildRequest{Verify: true, Reason: "verify"})
	if err != nil {
		return err
	}
	var j api.Rebuild
	if err := json.Unmarshal(body, &j); err != nil || j.ID == "" {
		return fmt.Errorf("%s does not answer like Tidemark", c.base)
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	m := newRebuildMeter(a)
	var raw json.RawMessage
	err = c.follow(ctx, j.ID, func(now *api.Rebuild, text json.RawMessage) bool {
		j, raw = *now, text
		m.show(now)
		return true
	})
	m.end()
	if ctx.Err() != nil {
		return &failure{errors.New("no longer followed; the verification goes on"), exitError,
			"its outcome: " + a.self + " rebuild status\nend it: " + a.self + " rebuild cancel " + j.ID}
	}
	if err != nil {
		return err
	}
	if a.format == formatJSON || a.format == formatJSONL {
		if err := a.printJSON(raw); err != nil {
			return err
		}
	}
	if err := a.rebuildFailed(&j); err != nil {
		return err
	}
	return a.tellVerified(&j)
}

// tellVerified tells the outcome, and returns what it means.
func (a *app) tellVerified(j *api.Rebuild) error {
	v, r := j.Verified, j.Result
	if v == nil || r == nil {
		return errors.New("the server does not say what came out of it")
	}
	a.say("log: positions 1 to %s without a gap, %s with the right checksums; it does not end before what serves has read\n", thousands(v.Scratch.Position), many(r.Events, "event"))
	if v.Equal {
		a.say("state: %s rows, the same as made anew, byte for byte (sha256 %s)\n", thousands(v.Serving.Rows), v.Serving.SHA256)
		return nil
	}
	a.say("state: NOT the same as made anew: %s rows serve (sha256 %s), %s were made (sha256 %s)\n",
		thousands(v.Serving.Rows), v.Serving.SHA256, thousands(v.Scratch.Rows), v.Scratch.SHA256)
	if v.First != "" {
		a.say("first difference, of what serves (first) to what was made anew (second): %s\n", inert(v.First))
	}
	if a.format == formatTable {
		if err := a.showReport(j.Report); err != nil {
			return err
		}
	}
	if len(v.OutdatedProjections) > 0 {
		return &failure{fmt.Errorf("the state differs, as is to be expected: another version of the program made it (%s)", strings.Join(v.OutdatedProjections, ", ")),
			exitDifferent, "make it anew: " + a.self + " rebuild"}
	}
	if len(v.Outdated) > 0 {
		return &failure{fmt.Errorf("the state differs, as is to be expected: definitions were changed since it was made (%s)", strings.Join(v.Outdated, ", ")),
			exitDifferent, "make it anew: " + a.self + " rebuild"}
	}
	return &failure{errors.New("the state is not what the log says"), exitIntegrity,
		"the log is in order: make the state anew with " + a.self + " rebuild\nif it differs again, please report it, with the first difference"}
}
