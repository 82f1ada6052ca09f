package main

import (
	"log/slog"
	"slices"
	"strings"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/internal/config"
)

// changes are what a configuration read anew says otherwise than the one in force.
type changes struct {
	added, removed []string
	// changed names the sources that are in both, each with what of it is another.
	changed  []string
	settings []string
	mappings []mappingChange
}

// mappingChange is a definition that gives events another meaning.
type mappingChange struct {
	definition string
	from, to   string // digests
	sources    []string
}

func (c *changes) none() bool {
	return len(c.added)+len(c.removed)+len(c.changed)+len(c.settings) == 0
}

// changesOf compares what is in force with what was read.
func changesOf(cfg, next *config.Config, sources, read []source) changes {
	var c changes
	if cfg.Rebuild != next.Rebuild {
		c.settings = append(c.settings, "rebuild.on_definition_change")
	}
	if cfg.Log.Level != next.Log.Level {
		c.settings = append(c.settings, "log.level")
	}
	for i := range sources {
		if find(read, sources[i].Name) == nil {
			c.removed = append(c.removed, sources[i].Name)
		}
	}
	for i := range read {
		now := &read[i]
		was := find(sources, now.Name)
		if was == nil {
			c.added = append(c.added, now.Name)
			continue
		}
		if what := was.differs(now); len(what) > 0 {
			c.changed = append(c.changed, now.Name+" ("+strings.Join(what, ", ")+")")
		}
		if was.def.Digest() != now.def.Digest() {
			c.remapped(was.def, now.def, now.Name)
		}
	}
	return c
}

// remapped notes that a source's events have another meaning.
func (c *changes) remapped(was, now *providers.Definition, source string) {
	for i := range c.mappings {
		m := &c.mappings[i]
		if m.definition == now.Name() && m.from == was.Digest() && m.to == now.Digest() {
			m.sources = append(m.sources, source)
			return
		}
	}
	c.mappings = append(c.mappings, mappingChange{now.Name(), was.Digest(), now.Digest(), []string{source}})
}

// differs names what of a source is another.
func (s *source) differs(o *source) []string {
	var what []string
	for _, d := range []struct {
		differs bool
		word    string
	}{
		{s.ProviderWords() != o.ProviderWords(), "provider"},
		{!sameSecrets(s.Secrets, o.Secrets) || s.Generated != o.Generated, "secrets"},
		{!slices.Equal(s.Headers, o.Headers), "headers"},
		{s.MaxBody != o.MaxBody, "max_body"},
		{s.Tolerance != o.Tolerance, "tolerance"},
		{s.def.Digest() != o.def.Digest(), "mapping"},
		{s.def.Digest() == o.def.Digest() && s.def.Content() != o.def.Content(), "definition, but for its mapping"},
		{(s.redactor == nil) != (o.redactor == nil), "the key to redact with"},
	} {
		if d.differs {
			what = append(what, d.word)
		}
	}
	return what
}

func sameSecrets(a, b []providers.Secret) bool {
	return slices.EqualFunc(a, b, func(a, b providers.Secret) bool { return a.Reveal() == b.Reveal() })
}

// keepVerifiers lets sources whose proof is the same keep their verifier: it may have
// public keys that were fetched.
func keepVerifiers(sources, read []source) {
	for i := range read {
		now := &read[i]
		was := find(sources, now.Name)
		if was != nil && was.verifier != nil && was.def.Content() == now.def.Content() && was.Tolerance == now.Tolerance && sameSecrets(was.Secrets, now.Secrets) {
			now.verifier = was.verifier
		}
	}
}

// needRestart names the settings that differ and cannot be changed while the server runs.
func needRestart(cfg, next *config.Config) []string {
	var keys []string
	now := settings(next)
	for i, s := range settings(cfg) {
		if strings.HasPrefix(s.Key, "sources.") {
			break // they stand last
		}
		hidden := s.Key == "nats.url" && cfg.NATS.URL != next.NATS.URL // a password is not among what is shown
		if (now[i].Value != s.Value || hidden) && s.Key != "rebuild.on_definition_change" && s.Key != "log.level" {
			keys = append(keys, s.Key)
		}
	}
	return keys
}

// log says what changed.
func (c *changes) log(logger *slog.Logger) {
	if c.none() {
		logger.Info("the configuration was read anew and is in order: nothing that can be changed while it runs has changed")
		return
	}
	var attrs []any
	for _, part := range []struct {
		name string
		list []string
	}{{"added", c.added}, {"removed", c.removed}, {"changed", c.changed}, {"settings", c.settings}} {
		if len(part.list) > 0 {
			attrs = append(attrs, slog.Any(part.name, part.list))
		}
	}
	logger.Info("the configuration was read anew and is in force", attrs...)
	if len(c.removed) > 0 {
		logger.Warn("webhooks of sources that are gone are answered 404 from now on; their connections stay", slog.Any("sources", c.removed))
	}
}

// logMappings says which definitions give events another meaning.
func (c *changes) logMappings(logger *slog.Logger) {
	for _, m := range c.mappings {
		logger.Warn("a mapping has changed", slog.String("definition", m.definition),
			slog.String("from", m.from), slog.String("to", m.to), slog.Any("sources", m.sources))
	}
}

// find returns the source of that name, nil where there is none.
func find(sources []source, name string) *source {
	for i := range sources {
		if sources[i].Name == name {
			return &sources[i]
		}
	}
	return nil
}
