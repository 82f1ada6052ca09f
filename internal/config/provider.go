package config

import (
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// Definition loads the source's provider definition: the one that it names, or
// the one that stands in the configuration. The error names the file, the line
// and the column.
func (s *Source) Definition() (*providers.Definition, error) {
	if s.Inline != nil {
		return s.Inline.Load()
	}
	return providers.Load(s.Provider)
}

// ProviderWords says for people what the source's provider is.
func (s *Source) ProviderWords() string {
	switch {
	case s.Inline == nil:
		return s.Provider
	case s.Inline.Extends() == "":
		return "defined here"
	}
	return s.Inline.Extends() + ", with what stands here"
}

// provider reads a source's provider: a name, a path, or a definition.
func (s *Source) provider(d *decoder, v node) {
	v = d.follow(v)
	if v.Kind == yaml.MappingNode {
		if before := len(d.errs); d.expandAll(v, d.expanded) && len(d.errs) == before {
			s.Inline = providers.NewInline(d.cfg.File, []byte(strings.Join(d.text, "\n")), v.Node)
		}
		return
	}
	p, ok := d.scalar(v)
	if !ok {
		return
	}
	s.Provider = p
	if isPath(p) {
		s.Provider = d.path(p)
	}
}

// expandAll puts what ${VAR} and file:PATH stand for into every value below v.
// seen are the nodes that have it already: an alias brings one in again.
func (d *decoder) expandAll(v node, seen map[*yaml.Node]bool) bool {
	v = d.follow(v)
	if seen[v.Node] {
		return true
	}
	seen[v.Node] = true
	switch v.Kind {
	case yaml.ScalarNode:
		text, ok := d.expand(v)
		v.Value = text
		return ok
	case yaml.MappingNode:
		for i := 1; i < len(v.Content); i += 2 {
			if !d.expandAll(node{Node: v.Content[i], key: v.key}, seen) {
				return false
			}
		}
		return true
	}
	for _, item := range v.Content {
		if !d.expandAll(node{Node: item, key: v.key}, seen) {
			return false
		}
	}
	return true
}

// isPath tells a definition of the user's own from the name of a built-in one.
func isPath(provider string) bool {
	return strings.ContainsAny(provider, `/\`) || strings.HasSuffix(provider, ".yaml") || strings.HasSuffix(provider, ".yml")
}
