package main

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// withTolerance returns the definition with the replay window of one source in
// place of its own, for verifying alone: the mapping is that of the definition
// as it stands, and so is its digest. A definition whose signature carries no time has no
// window, and says so.
func withTolerance(nameOrPath string, window time.Duration) (*providers.Definition, error) {
	text, err := definitionText(nameOrPath)
	if err != nil {
		return nil, err
	}
	var definition map[string]any
	if err := yaml.Load(text, &definition); err != nil {
		return nil, err
	}
	signature, ok := definition["signature"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: its signature is not a group of keys", nameOrPath)
	}
	signature["tolerance"] = window.String()
	if text, err = yaml.Dump(definition); err != nil {
		return nil, err
	}
	def, err := providers.Parse("tolerance "+window.String(), text)
	if err != nil {
		return nil, fmt.Errorf("the source's tolerance does not fit the definition %s: %w", nameOrPath, err)
	}
	return def, nil
}
