package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// decoder walks the nodes of one file along the schema and collects every
// error, so that an operator mends a file once and not a line at a time.
type decoder struct {
	cfg     *Config
	dir     string // of the file; relative paths start here
	text    []string
	environ func(string) (string, bool)
	errs    []*Error
	// expanded are the values in definitions that hold already what they stand for.
	expanded map[*yaml.Node]bool
}

// node is a value in the file with the path of keys that leads to it.
type node struct {
	*yaml.Node
	key string
}

// field is one known key: a value that is set, or a group of keys (or a group with a way of its own).
type field struct {
	set func(d *decoder, v node)
	sub fields
}

type fields map[string]field

func (f fields) names() []string { return slices.Collect(maps.Keys(f)) }

// find returns the path of the first key, in the order of paths, that is spelled like that.
func (f fields) find(key, below string) string {
	for _, k := range slices.Sorted(maps.Keys(f)) {
		if k == key {
			return below + k
		}
		if p := f[k].sub.find(key, below+k+"."); p != "" {
			return p
		}
	}
	return ""
}

func (d *decoder) fail(v node, format string, args ...any) {
	d.errs = append(d.errs, &Error{
		File: d.cfg.File, Line: v.Line, Column: v.Column, Key: v.key,
		Problem: fmt.Sprintf(format, args...),
		Excerpt: excerpt(d.text, v.Line, plainKey),
	})
}

// group reads a mapping whose keys are known.
func (d *decoder) group(v node, known fields) {
	d.eachKey(v, func(k, val node) {
		f, ok := known[k.Value]
		if !ok {
			d.fail(node{Node: k.Node, key: v.key}, "unknown key %q; %s", cutText(k.Value), suggest(k.Value, known, d.cfg.schema()))
			return
		}
		d.cfg.lines[val.key] = k.Line
		switch {
		case isNull(val):
			// "key:" with nothing behind it is the same as leaving it out.
		case f.set != nil:
			f.set(d, val)
		default:
			d.group(val, f.sub)
		}
	})
}

// eachKey calls fn for each pair of a mapping. A key given twice is an error:
// which of the two counts is what nobody should have to know.
func (d *decoder) eachKey(v node, fn func(k, val node)) {
	v = d.follow(v)
	if isNull(v) {
		return
	}
	if v.Kind != yaml.MappingNode {
		d.fail(v, "this is %s, and keys with values are wanted (key: value)", kindName(v))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(v.Content); i += 2 {
		k := d.follow(node{Node: v.Content[i], key: v.key})
		if k.Kind != yaml.ScalarNode {
			d.fail(k, "a key has to be a word")
			continue
		}
		if first, twice := seen[k.Value]; twice {
			d.fail(k, "key %q stands here and in line %d: keep one of them", cutText(k.Value), first)
			continue
		}
		seen[k.Value] = k.Line
		path := k.Value
		if v.key != "" {
			path = v.key + "." + k.Value
		}
		fn(node{Node: k.Node, key: path}, d.follow(node{Node: v.Content[i+1], key: path}))
	}
}

// follow replaces an alias by what it stands for.
func (d *decoder) follow(v node) node {
	if v.Kind == yaml.AliasNode && v.Alias != nil {
		return node{Node: v.Alias, key: v.key}
	}
	return v
}

// scalar returns a value's text with ${VAR} and file:PATH replaced.
func (d *decoder) scalar(v node) (string, bool) {
	v = d.follow(v)
	if v.Kind != yaml.ScalarNode {
		d.fail(v, "this is %s, and one value is wanted", kindName(v))
		return "", false
	}
	switch v.ShortTag() {
	case "!!str", "!!int", "!!float", "!!bool", "!!timestamp", "!!null":
		return d.expand(v)
	}
	d.fail(v, "the tag %s has no meaning here: write the value alone", cutText(v.Tag))
	return "", false
}

// list returns the items of a list of values.
func (d *decoder) list(v node, most int) ([]node, bool) {
	v = d.follow(v)
	if v.Kind != yaml.SequenceNode {
		d.fail(v, "this is %s, and a list is wanted: [one, two]", kindName(v))
		return nil, false
	}
	if len(v.Content) > most {
		d.fail(v, "%d entries, and at most %d are allowed", len(v.Content), most)
		return nil, false
	}
	out := make([]node, len(v.Content))
	for i, c := range v.Content {
		out[i] = d.follow(node{Node: c, key: v.key})
	}
	return out, true
}

// secrets reads a list of secrets. None of them ever stands in an error.
func (d *decoder) secrets(v node) []providers.Secret {
	items, ok := d.list(v, maxSecrets)
	if !ok {
		return nil
	}
	out := make([]providers.Secret, 0, len(items))
	for _, it := range items {
		text, ok := d.scalar(it)
		switch {
		case !ok:
		case strings.TrimSpace(text) == "":
			d.fail(it, "secret %d is empty: an empty secret proves nothing", len(out)+1)
		case len(text) > maxSecret:
			d.fail(it, "secret %d is longer than %d bytes", len(out)+1, maxSecret)
		default:
			out = append(out, providers.NewSecret(text))
		}
	}
	return out
}

// path resolves a path against the directory of the file.
func (d *decoder) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(d.dir, p)
}

func isNull(v node) bool { return v.Kind == yaml.ScalarNode && v.ShortTag() == "!!null" }

func kindName(v node) string {
	switch v.Kind {
	case yaml.MappingNode:
		return "a group of keys"
	case yaml.SequenceNode:
		return "a list"
	default:
		return "a single value"
	}
}

func cutText(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
