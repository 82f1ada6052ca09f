package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// target is a connection as the command line names it: SOURCE/CONNECTION. The
// source ends at the first slash; what follows is the id, whatever it holds.
type target struct{ source, connection string }

func parseTarget(arg string) (target, error) {
	source, id, ok := strings.Cut(arg, "/")
	if !ok || source == "" || id == "" {
		return target{}, usage(fmt.Errorf("%q names no connection", arg), "write SOURCE/CONNECTION, as in makini/conn_42")
	}
	return target{source, id}, nil
}

func (t target) String() string { return t.source + "/" + t.connection }

// completeTarget offers the server's connections to the shell. A server that
// does not answer at once offers nothing: completion must never hang or complain.
func (a *app) completeTarget(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	source, prefix, full := strings.Cut(typed, "/")
	query := url.Values{}
	if full {
		query.Set("source", source)
		query.Set("q", prefix)
	}
	var out []string
	a.complete(cmd, func(ctx context.Context, c *client) error {
		_, err := c.pages(ctx, "/v1/connections", query, 100, func(item json.RawMessage) error {
			var s struct{ Source, Connection, Health string }
			if err := json.Unmarshal(item, &s); err != nil {
				return err
			}
			t := target{s.Source, s.Connection}.String()
			if strings.HasPrefix(t, typed) && inert(t) == t {
				out = append(out, t+"\t"+s.Health)
			}
			return nil
		})
		return err
	})
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeSource offers the sources that the server has connections of.
func (a *app) completeSource(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	a.complete(cmd, func(ctx context.Context, c *client) error {
		body, err := c.get(ctx, "/v1/stats", nil)
		if err != nil {
			return err
		}
		var stats struct {
			Connections struct {
				BySource map[string]uint64 `json:"by_source"`
			}
		}
		if err := json.Unmarshal(body, &stats); err != nil {
			return err
		}
		for source := range stats.Connections.BySource {
			if strings.HasPrefix(source, typed) {
				out = append(out, source)
			}
		}
		return nil
	})
	return out, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) complete(cmd *cobra.Command, ask func(context.Context, *client) error) {
	c, err := a.client()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), 5*time.Second)
	defer cancel()
	_ = ask(ctx, c) // what came before the error is offered
}
