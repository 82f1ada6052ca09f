package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// shownModules are the dependencies whose versions matter in a bug report.
var shownModules = []string{
	"github.com/nats-io/nats-server/v2", "github.com/nats-io/nats.go", "github.com/cockroachdb/pebble/v2",
	"cel.dev/cel-go", "github.com/danielgtaylor/huma/v2",
}

// build says what this binary was made of.
type build struct {
	Version string            `json:"version"`
	Commit  string            `json:"commit,omitempty"`
	Go      string            `json:"go"`
	System  string            `json:"system"`
	Modules map[string]string `json:"modules"`
}

func readBuild() build {
	b := build{Version: "(devel)", Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, Modules: map[string]string{}}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	changed := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			changed = s.Value == "true"
		}
	}
	if b.Commit != "" && changed {
		b.Commit += " with changes"
	}
	have := map[string]string{}
	for _, m := range info.Deps {
		have[m.Path] = m.Version
	}
	for _, path := range shownModules {
		if v, ok := have[path]; ok {
			b.Modules[path] = v
		}
	}
	return b
}

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program and of what it is built from",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			b := readBuild()
			if a.format == formatJSON || a.format == formatJSONL {
				text, err := json.Marshal(b)
				if err != nil {
					return err
				}
				return a.printJSON(text)
			}
			type row struct{ what, version string }
			rows := []row{{"tidemark", b.Version}, {"commit", b.Commit}, {"go", b.Go + " " + b.System}}
			for _, path := range shownModules {
				if v := b.Modules[path]; v != "" {
					rows = append(rows, row{path[strings.Index(path, "/")+1:], v})
				}
			}
			p := newPrinter(a,
				column[row]{name: "what", cell: func(r row) string { return r.what }},
				column[row]{name: "version", cell: func(r row) string { return r.version }},
			)
			for _, r := range rows {
				if r.version == "" {
					continue
				}
				if err := p.item(r); err != nil {
					return fmt.Errorf("print the version: %w", err)
				}
			}
			return p.close()
		},
	}
}
