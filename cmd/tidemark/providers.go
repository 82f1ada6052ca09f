package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

func newProviders(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "providers",
		Short: "List, show and test the definitions of how senders sign and what their payloads mean",
	}, newProvidersList(a), newProvidersShow(a), newProvidersTest(a), newProvidersLearn(a), newProvidersNew(a))
}

func newProvidersList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the built-in definitions",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			type row struct {
				Name      string `json:"name"`
				Title     string `json:"title"`
				Signature string `json:"signature"`
				Assumed   bool   `json:"assumed"`
				Digest    string `json:"digest"`
			}
			p := newPrinter(a,
				column[row]{name: "name", cell: func(v row) string { return v.Name }},
				column[row]{name: "title", cell: func(v row) string { return v.Title }},
				column[row]{name: "signature", cell: func(v row) string { return v.Signature }},
				column[row]{name: "assumed", cell: func(v row) string {
					if v.Assumed {
						return "in part"
					}
					return "no"
				}},
				column[row]{name: "digest", csv: true, cell: func(v row) string { return v.Digest }},
			)
			for _, name := range providers.Builtin() {
				d, err := providers.Load(name)
				if err != nil {
					return err
				}
				if err := p.item(row{d.Name(), d.Title(), d.Scheme(), d.Assumed(), d.Digest()}); err != nil {
					return err
				}
			}
			return p.close()
		},
	}
}

func newProvidersShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME|FILE",
		Short: "Print a definition, to read it or to begin your own from it",
		Long: `Print a definition, to read it or to begin your own from it. One that extends another is printed as what the
two make together: a definition that stands by itself, without comments.`,
		Example:           "  tidemark providers show makini > makini-mine.yaml\n  tidemark providers show ./acme.yaml",
		Args:              exactly("NAME|FILE"),
		ValidArgsFunction: completeDefinition,
		RunE: func(_ *cobra.Command, args []string) error {
			d, err := loadDefinition(args[0])
			if err != nil {
				return err
			}
			if a.format != formatJSON && a.format != formatJSONL {
				if bases := d.Extends(); len(bases) > 0 {
					fmt.Fprintf(a.stderr, "%s extends %s: this is what they make together\n", inert(args[0]), inert(strings.Join(bases, ", which extends ")))
				}
				_, err = a.stdout.Write(d.Text())
				return err
			}
			out, err := json.Marshal(map[string]any{
				"name": d.Name(), "title": d.Title(), "assumed": d.Assumed(), "notes": d.Notes(), "digest": d.Digest(),
				"signature": d.Scheme(), "keep_headers": d.KeepHeaders(), "token_in_path": d.TokenInPath(), "extends": d.Extends(), "text": string(d.Text()),
			})
			if err != nil {
				return err
			}
			return a.printJSON(out)
		},
	}
}

// loadDefinition loads a built-in definition or a file. What is wrong with it is exit code 2.
func loadDefinition(nameOrPath string) (*providers.Definition, error) {
	d, err := providers.Load(nameOrPath)
	if err != nil {
		return nil, usage(err, "a definition to begin from: tidemark providers show makini")
	}
	return d, nil
}

func completeDefinition(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return providers.Builtin(), cobra.ShellCompDirectiveDefault // or a file
}
