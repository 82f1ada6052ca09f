package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

const defaultServer = "http://127.0.0.1:8080"

// newRoot returns the command line.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "tidemark",
		Short: "The state of every integration connection, and how it came about",
		Example: `  tidemark serve
  tidemark send makini connection.offline --connection conn_42
  tidemark show makini/conn_42`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(err, "see: "+cmd.CommandPath()+" --help")
	})
	f := root.PersistentFlags()
	f.StringVar(&a.server, "server", a.env("TIDEMARK_SERVER", defaultServer), "address of the running server (environment: TIDEMARK_SERVER)")
	// The key is no default of the flag: help would print it.
	f.StringVar(&a.key, "key", "", "API key (better: the environment variable TIDEMARK_API_KEY)")
	f.VarP(&a.format, "output", "o", "table, json, jsonl or csv")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formatNames, cobra.ShellCompDirectiveNoFileComp))
	_ = root.RegisterFlagCompletionFunc("server", cobra.NoFileCompletions)
	_ = root.RegisterFlagCompletionFunc("key", cobra.NoFileCompletions)

	root.AddCommand(
		newServe(a),
		newSend(a),
		newConnections(a),
		newShow(a),
		newHistory(a),
		newExplain(a),
		newDiff(a),
		newCorrections(a),
		newStats(a),
		newWatch(a),
		newQuarantine(a),
		newRebuild(a),
		newVerify(a),
		newProviders(a),
		newConfig(a),
		newKeys(a),
		newHealth(a),
		newVersion(a),
		newExitCodes(),
	)
	return root
}

// group is a command that only holds others.
func group(cmd *cobra.Command, subs ...*cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usage(fmt.Errorf("%s is incomplete", cmd.CommandPath()), "one of: "+strings.Join(names(cmd), ", "))
		}
		return unknownCommand(cmd, args[0])
	}
	cmd.AddCommand(subs...)
	return cmd
}

func unknownCommand(cmd *cobra.Command, got string) error {
	cmd.SuggestionsMinimumDistance = 2
	hint := "see: " + cmd.CommandPath() + " --help"
	if near := cmd.SuggestionsFor(got); len(near) > 0 {
		hint = "did you mean: " + cmd.CommandPath() + " " + near[0]
	}
	return usage(fmt.Errorf("unknown command %q", got), hint)
}

func names(cmd *cobra.Command) []string {
	var out []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			out = append(out, c.Name())
		}
	}
	return out
}

// exactly asks for that many arguments, naming them where they are missing.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usage(fmt.Errorf("%s is missing", names[len(args)]), "usage: "+cmd.UseLine())
		case len(args) > len(names):
			return usage(fmt.Errorf("%q is one argument too many", args[len(names)]), "usage: "+cmd.UseLine())
		}
		return nil
	}
}

// selfName is what a person types to run this program once more: the name it was
// called by, or the go run that built it into a directory nobody will find again.
func selfName(arg0 string) string {
	if strings.Contains(filepath.ToSlash(arg0), "/go-build") {
		return "go run ./cmd/tidemark"
	}
	return arg0
}
