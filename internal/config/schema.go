package config

import (
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/tidemark-dev/tidemark/eventstore"
)

const (
	maxSources = 1000
	maxSecrets = 16
	maxSecret  = 4096
	maxHeaders = 32
	maxServers = 16
)

// schema is every key that a file may hold. docs/CONFIG.md lists the same.
func (c *Config) schema() fields {
	return fields{
		"listen":        text(&c.Listen),
		"ingest_listen": text(&c.IngestListen),
		"data_dir":      path(&c.DataDir),
		"nats": {sub: fields{
			"url":           servers(&c.NATS.URL),
			"credentials":   path(&c.NATS.Credentials),
			"monitor_urls":  {set: func(d *decoder, v node) { c.NATS.MonitorURLs = d.monitorURLs(v) }},
			"replicas":      count(&c.NATS.Replicas),
			"storage_limit": size(&c.NATS.StorageLimit),
			"tls": {sub: fields{
				"ca":   path(&c.NATS.TLS.CA),
				"cert": path(&c.NATS.TLS.Cert),
				"key":  path(&c.NATS.TLS.Key),
			}},
		}},
		"auth": {sub: fields{
			"keys_file": path(&c.Auth.KeysFile),
		}},
		"limits": {sub: fields{
			"connections":             count(&c.Limits.Connections),
			"connections_per_address": count(&c.Limits.ConnectionsPerAddress),
			"in_flight":               size(&c.Limits.InFlight),
			"waiting":                 count(&c.Limits.Waiting),
		}},
		"disk": {sub: fields{
			"low_water": size(&c.Disk.LowWater),
		}},
		"memory": {sub: fields{
			"limit": size(&c.Memory.Limit),
			"cache": size(&c.Memory.Cache),
		}},
		"rebuild": {sub: fields{
			"on_definition_change": text(&c.Rebuild.OnDefinitionChange),
		}},
		"log": {sub: fields{
			"level":  level(&c.Log.Level),
			"format": text(&c.Log.Format),
		}},
		// The group shows what a source holds; sources reads the names in between.
		"sources": {set: func(d *decoder, v node) { d.sources(v) }, sub: fields{"NAME": {sub: new(Source).schema()}}},
	}
}

func (s *Source) schema() fields {
	return fields{
		"provider":  {set: func(d *decoder, v node) { s.provider(d, v) }},
		"secrets":   {set: func(d *decoder, v node) { s.Secrets = d.secrets(v) }},
		"headers":   {set: func(d *decoder, v node) { s.Headers = d.headers(v) }},
		"max_body":  size(&s.MaxBody),
		"tolerance": {set: func(d *decoder, v node) { s.Tolerance = d.duration(v) }},
	}
}

// sources reads the entry points. A file that has the key must have a source:
// nobody writes an empty list meaning the built-in one.
func (d *decoder) sources(v node) {
	d.cfg.Sources = nil
	d.eachKey(v, func(k, val node) {
		if !eventstore.ValidName(k.Value) {
			d.fail(k, "%q cannot name a source, which is part of a URL: a-z and 0-9, then also _ and -, at most 64", cutText(k.Value))
			return
		}
		s := Source{Name: k.Value, MaxBody: DefaultMaxBody, Where: fmt.Sprintf("%s:%d", d.cfg.File, k.Line)}
		before := len(d.errs)
		d.group(val, s.schema())
		if s.Provider == "" && s.Inline == nil && len(d.errs) == before {
			d.fail(k, "a source needs a provider: a built-in one (provider: makini; `tidemark providers list` shows all) or the path of a file")
		}
		d.cfg.Sources = append(d.cfg.Sources, s)
	})
	if v.Kind == yaml.MappingNode && len(v.Content) == 0 {
		d.fail(v, "no source, so nothing could be received: add one, or leave the key out for the built-in source %q", DefaultSource)
	}
	if len(d.cfg.Sources) > maxSources {
		d.fail(v, "%d sources, and at most %d are allowed", len(d.cfg.Sources), maxSources)
	}
}

// Headers that are never stored, whatever a file says: they hold credentials,
// and what is stored can be read by everybody who may read events.
var credentialHeaders = []string{"authorization", "proxy-authorization", "cookie", "set-cookie"}

func (d *decoder) headers(v node) []string {
	items, ok := d.list(v, maxHeaders)
	if !ok {
		return nil
	}
	var out []string
	for _, it := range items {
		name, ok := d.scalar(it)
		if !ok {
			continue
		}
		lower := strings.ToLower(name)
		switch {
		case !eventstore.ValidHeaderName(name) || len(name) > 128:
			d.fail(it, "%q is no name of an HTTP header", cutText(name))
		case slices.Contains(credentialHeaders, lower):
			d.fail(it, "%s holds credentials and is never stored: take it out of the list", lower)
		case slices.ContainsFunc(out, func(o string) bool { return strings.EqualFold(o, name) }):
			d.fail(it, "%s is listed twice", lower)
		default:
			out = append(out, name)
		}
	}
	return out
}

func (d *decoder) monitorURLs(v node) []string {
	items, ok := d.list(v, maxServers)
	if !ok {
		return nil
	}
	var out []string
	for _, it := range items {
		text, ok := d.scalar(it)
		if !ok {
			continue
		}
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
			// Not quoted: a password may stand in it, which these addresses do not ask for.
			d.fail(it, "not the address of a server's HTTP monitoring: write http://host:8222, without a user")
			continue
		}
		out = append(out, text)
	}
	return out
}

func (d *decoder) duration(v node) time.Duration {
	s, ok := d.scalar(v)
	if !ok {
		return 0
	}
	n, err := time.ParseDuration(s)
	if err != nil || n <= 0 || n > 24*time.Hour {
		d.fail(v, "%q is not a time span of more than nothing and at most 24h: write 5m, 90s or 1h", cutText(s))
		return 0
	}
	return n
}

func text(p *string) field {
	return field{set: func(d *decoder, v node) {
		if s, ok := d.scalar(v); ok {
			*p = s
		}
	}}
}

func path(p *string) field {
	return field{set: func(d *decoder, v node) {
		if s, ok := d.scalar(v); ok {
			*p = d.path(s)
		}
	}}
}

func servers(p *Servers) field {
	return field{set: func(d *decoder, v node) {
		if s, ok := d.scalar(v); ok {
			*p = Servers(s)
		}
	}}
}

func size(p *int64) field {
	return field{set: func(d *decoder, v node) {
		s, ok := d.scalar(v)
		if !ok {
			return
		}
		n, err := ParseSize(s)
		if err != nil {
			d.fail(v, "%v", err)
			return
		}
		*p = n
	}}
}

func count(p *int) field {
	return field{set: func(d *decoder, v node) {
		s, ok := d.scalar(v)
		if !ok {
			return
		}
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil {
			d.fail(v, "%q is not a whole number", cutText(s))
			return
		}
		*p = int(n)
	}}
}

func level(p *slog.Level) field {
	return field{set: func(d *decoder, v node) {
		s, ok := d.scalar(v)
		if !ok {
			return
		}
		switch strings.ToLower(s) {
		case "debug":
			*p = slog.LevelDebug
		case "info":
			*p = slog.LevelInfo
		case "warn":
			*p = slog.LevelWarn
		case "error":
			*p = slog.LevelError
		default:
			d.fail(v, "%q is not a level: debug, info, warn or error", cutText(s))
		}
	}}
}
