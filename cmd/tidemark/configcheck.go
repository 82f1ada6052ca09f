package main

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/internal/config"
)

func newConfig(a *app) *cobra.Command {
	return group(&cobra.Command{Use: "config", Short: "Check a configuration"}, newConfigCheck(a))
}

func newConfigCheck(a *app) *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Read the configuration as serve would, and print what comes out of it",
		Long: `Read the configuration as serve would, definitions, secrets and keys included, and print what comes out
of it: every key with the value in force, without secrets. All that is wrong is told at
once, each with its line, and ends in exit code 2.`,
		Example: "  tidemark config check\n  tidemark config check -c /etc/tidemark/tidemark.yaml",
		Args:    exactly(),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := a.serveConfig(&f)
			if err != nil {
				return err
			}
			if _, err := openSources(cfg); err != nil {
				return err
			}
			if _, err := a.openKeys(cfg, slog.New(slog.DiscardHandler)); err != nil {
				return err
			}
			for _, w := range cfg.Warnings {
				fmt.Fprintln(a.stderr, "warning: "+inert(w))
			}
			if cfg.File == "" {
				fmt.Fprintf(a.stderr, "there is no %s here: these are the built-in defaults\n", config.FileName)
			} else {
				fmt.Fprintf(a.stderr, "%s is in order\n", cfg.File)
			}
			return a.printConfig(cfg)
		},
	}
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "configuration (default: ./tidemark.yaml)")
	cmd.Flags().BoolVar(&f.insecureNoAuth, "insecure-no-auth", false, "as serve takes it: a public address without keys is in order")
	return cmd
}

// loadConfig reads the configuration: the file that was named, else
// ./tidemark.yaml, else the defaults. What is wrong with it is exit code 2.
func (a *app) loadConfig(asked string) (*config.Config, error) {
	path, err := config.Locate(asked)
	if err != nil {
		return nil, err
	}
	cfg, err := config.Load(path, a.environ)
	if err != nil {
		return nil, usage(err, "what each key means: docs/CONFIG.md")
	}
	return cfg, nil
}

// setting is one key with the value in force.
type setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func (a *app) printConfig(cfg *config.Config) error {
	p := newPrinter(a,
		column[setting]{name: "key", cell: func(s setting) string { return s.Key }},
		column[setting]{name: "value", cell: func(s setting) string { return s.Value }},
	)
	for _, s := range settings(cfg) {
		if err := p.item(s); err != nil {
			return err
		}
	}
	return p.close()
}

// settings lists every key and the value in force, secrets by their number alone.
func settings(c *config.Config) []setting {
	or := func(v, otherwise string) string {
		if v == "" {
			return otherwise
		}
		return v
	}
	size := func(n int64, zero string) string {
		if n == 0 {
			return zero
		}
		return config.FormatSize(n)
	}
	replicas := "as it is"
	if c.NATS.Replicas > 0 {
		replicas = strconv.Itoa(c.NATS.Replicas)
	}
	out := []setting{
		{"listen", c.Listen},
		{"ingest_listen", or(c.IngestListen, "none")},
		{"data_dir", c.DataDir},
		{"nats.url", or(c.NATS.URL.String(), "embedded")},
		{"nats.credentials", or(c.NATS.Credentials, "none")},
		{"nats.monitor_urls", or(strings.Join(c.NATS.MonitorURLs, ", "), "none")},
		{"nats.replicas", replicas},
		{"nats.storage_limit", size(c.NATS.StorageLimit, "automatic")},
		{"nats.tls.ca", or(c.NATS.TLS.CA, "the system's roots")},
		{"nats.tls.cert", or(c.NATS.TLS.Cert, "none")},
		{"nats.tls.key", or(c.NATS.TLS.Key, "none")},
		{"auth.keys_file", or(c.Auth.KeysFile, "none")},
		{"limits.connections", strconv.Itoa(c.Limits.MaxConnections())},
		{"limits.connections_per_address", strconv.Itoa(c.Limits.MaxConnectionsPerAddress())},
		{"limits.in_flight", config.FormatSize(c.Limits.InFlight)},
		{"limits.waiting", strconv.Itoa(c.Limits.Waiting)},
		{"disk.low_water", size(c.Disk.LowWater, "automatic")},
		{"memory.limit", size(c.Memory.Limit, "none")},
		{"memory.cache", config.FormatSize(c.Memory.Cache)},
		{"rebuild.on_definition_change", c.Rebuild.OnDefinitionChange},
		{"log.level", strings.ToLower(c.Log.Level.String())},
		{"log.format", c.Log.Format},
	}
	for _, s := range c.Sources {
		in := "sources." + s.Name + "."
		secrets := strconv.Itoa(len(s.Secrets))
		if s.Generated {
			secrets = "one, made on the first start"
		}
		tolerance := "the definition's"
		if s.Tolerance > 0 {
			tolerance = s.Tolerance.String()
		}
		out = append(out,
			setting{in + "provider", s.ProviderWords()},
			setting{in + "secrets", secrets},
			setting{in + "headers", or(strings.Join(s.Headers, ", "), "none")},
			setting{in + "max_body", config.FormatSize(s.MaxBody)},
			setting{in + "tolerance", tolerance},
		)
	}
	return out
}
