package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/internal/keys"
)

func newKeys(a *app) *cobra.Command {
	var file, configFile string
	cmd := group(&cobra.Command{
		Use:   "keys",
		Short: "Make, list and revoke API keys",
		Long: `Make, list and revoke API keys. They live in the file that auth.keys_file of the configuration names,
as hashes. A server that runs takes a change within a second. Run it on the server's machine.`,
	}, newKeysCreate(a, &file, &configFile), newKeysList(a, &file, &configFile), newKeysRevoke(a, &file, &configFile))
	f := cmd.PersistentFlags()
	f.StringVar(&file, "file", "", "keys file (default: auth.keys_file of the configuration)")
	f.StringVarP(&configFile, "config", "c", "", "configuration (default: ./tidemark.yaml)")
	return cmd
}

// keysFile is the file to work on: the one that was named, else the configuration's.
func (a *app) keysFile(file, configFile string) (string, error) {
	if file != "" {
		return file, nil
	}
	cfg, err := a.loadConfig(configFile)
	if err != nil {
		return "", err
	}
	if cfg.Auth.KeysFile == "" {
		return "", usage(errors.New("no keys file is configured"),
			"set it in tidemark.yaml:   auth: {keys_file: keys.yaml}\nor name it here:           --file keys.yaml")
	}
	return cfg.Auth.KeysFile, nil
}

func newKeysCreate(a *app, file, configFile *string) *cobra.Command {
	var scope string
	cmd := &cobra.Command{
		Use:     "create NAME",
		Short:   "Make a key and print it: the only time that it is shown",
		Example: "  tidemark keys create dashboard\n  tidemark keys create ops --scope admin",
		Args:    exactly("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			sc, err := keys.ParseScope(scope)
			if err != nil {
				return usage(err, "")
			}
			path, err := a.keysFile(*file, *configFile)
			if err != nil {
				return err
			}
			text, err := keys.Create(path, args[0], sc, a.now(), rand.Reader)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stderr, "key %q (%s) is in %s, as a hash. Keep what follows: it is not shown again.\n", args[0], sc, path)
			fmt.Fprintln(a.stdout, text)
			return nil
		},
	}
	cmd.Flags().StringVar(&scope, "scope", string(keys.Read), "what the key may do: read or admin")
	_ = cmd.RegisterFlagCompletionFunc("scope", cobra.FixedCompletions([]string{string(keys.Read), string(keys.Admin)}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func newKeysList(a *app, file, configFile *string) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the keys' names and scopes",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			path, err := a.keysFile(*file, *configFile)
			if err != nil {
				return err
			}
			list, err := keys.List(path)
			if errors.Is(err, fs.ErrNotExist) {
				return &failure{fmt.Errorf("%s is not there", path), exitError, "make the first key: " + a.self + " keys create NAME"}
			}
			if err != nil {
				return err
			}
			type row struct {
				Name    string `json:"name"`
				Scope   string `json:"scope"`
				Created string `json:"created"`
			}
			p := newPrinter(a,
				column[row]{name: "name", cell: func(v row) string { return v.Name }},
				column[row]{name: "scope", cell: func(v row) string { return v.Scope }},
				column[row]{name: "created", cell: func(v row) string { return v.Created }},
			)
			for _, k := range list {
				if err := p.item(row{k.Name, string(k.Scope), exact(k.Created)}); err != nil {
					return err
				}
			}
			return p.close()
		},
	}
}

func newKeysRevoke(a *app, file, configFile *string) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke NAME",
		Short: "Take a key out of the file: it is refused within a second",
		Args:  exactly("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			path, err := a.keysFile(*file, *configFile)
			if err != nil {
				return err
			}
			if err := keys.Revoke(path, args[0]); err != nil {
				return err
			}
			fmt.Fprintf(a.stderr, "key %q is revoked\n", args[0])
			return nil
		},
	}
}
