package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

func newProviders(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "providers",
		Short: "List, show and test the definitions of how senders sign and what their payloads mean",
	}, newProvidersList(a), newProvidersShow(a), newProvidersTest(a))
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
		Use:               "show NAME|FILE",
		Short:             "Print a definition, to read it or to begin your own from it",
		Example:           "  tidemark providers show makini > makini-mine.yaml",
		Args:              exactly("NAME|FILE"),
		ValidArgsFunction: completeDefinition,
		RunE: func(_ *cobra.Command, args []string) error {
			d, err := loadDefinition(args[0])
			if err != nil {
				return err
			}
			text, err := definitionText(args[0])
			if err != nil {
				return err
			}
			if a.format != formatJSON && a.format != formatJSONL {
				_, err = a.stdout.Write(text)
				return err
			}
			out, err := json.Marshal(map[string]any{
				"name": d.Name(), "title": d.Title(), "assumed": d.Assumed(), "notes": d.Notes(), "digest": d.Digest(),
				"signature": d.Scheme(), "keep_headers": d.KeepHeaders(), "token_in_path": d.TokenInPath(), "text": string(text),
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

func definitionText(nameOrPath string) ([]byte, error) {
	if slices.Contains(providers.Builtin(), nameOrPath) {
		return providers.Source(nameOrPath)
	}
	text, err := os.ReadFile(nameOrPath)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the definition %s", nameOrPath), err)
	}
	return text, nil
}

func completeDefinition(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return providers.Builtin(), cobra.ShellCompDirectiveDefault // or a file
}
