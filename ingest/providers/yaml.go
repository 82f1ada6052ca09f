package providers

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// fields are the values of one mapping by key, all of them known keys.
type fields struct {
	r      *reader
	path   string // the keys that lead here, as in "mapping.rules[0]"
	at     spot
	values map[string]*yaml.Node
}

// fields reads a mapping that has only the known keys.
func (r *reader) fields(n *yaml.Node, path string, known ...string) (fields, error) {
	n = resolve(n)
	f := fields{r: r, path: path, at: r.spot(n), values: map[string]*yaml.Node{}}
	if n.Kind != yaml.MappingNode {
		return f, r.errorf(f.at, "%s must be a mapping of keys to values", orRoot(path))
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if _, dup := f.values[key.Value]; dup {
			return f, r.errorf(r.spot(key), "the key %s stands here a second time", f.name(key.Value))
		}
		if err := checkKnown(key.Value, known); err != nil {
			return f, r.errorf(r.spot(key), "%s: %v", orRoot(path), err)
		}
		f.values[key.Value] = value
	}
	return f, nil
}

// checkKnown returns an error that names the nearest known key.
func checkKnown(key string, known []string) error {
	for _, k := range known {
		if k == key {
			return nil
		}
	}
	if near := nearest(key, known); near != "" {
		return fmt.Errorf("unknown key %q; did you mean %q?", key, near)
	}
	return fmt.Errorf("unknown key %q; known are %s", key, strings.Join(known, ", "))
}

// resolve follows a YAML alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

func orRoot(path string) string {
	if path == "" {
		return "the definition"
	}
	return path
}

// name is the full name of a key.
func (f fields) name(key string) string {
	if f.path == "" {
		return key
	}
	return f.path + "." + key
}

// has reports whether the key is given.
func (f fields) has(key string) bool { return f.values[key] != nil }

// spotOf is where a key's value stands, else the mapping.
func (f fields) spotOf(key string) spot {
	if n := f.values[key]; n != nil {
		return f.r.spot(n)
	}
	return f.at
}

// errorf is an error about a key.
func (f fields) errorf(key, format string, args ...any) error {
	return f.r.errorf(f.spotOf(key), "%s: %s", f.name(key), fmt.Sprintf(format, args...))
}

// itemErrorf is an error about one of a key's values.
func (f fields) itemErrorf(key string, i int, format string, args ...any) error {
	return f.r.errorf(f.r.spot(f.list(key)[i]), "%s: %s", f.name(key), fmt.Sprintf(format, args...))
}

// text returns the key's scalar, "" where it is not given.
func (f fields) text(key string) (string, error) {
	n := f.values[key]
	if n == nil {
		return "", nil
	}
	n = resolve(n)
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return "", f.errorf(key, "must be a text")
	}
	return n.Value, nil
}

// word returns the key's scalar, which must be one of the words; the first is the default.
func (f fields) word(key string, words ...string) (string, error) {
	s, err := f.text(key)
	if err != nil {
		return "", err
	}
	if !f.has(key) {
		return words[0], nil
	}
	for _, w := range words {
		if w == s {
			return s, nil
		}
	}
	near := ""
	if n := nearest(s, words); n != "" {
		near = fmt.Sprintf("; did you mean %q?", n)
	}
	return "", f.errorf(key, "%q is none of %s%s", s, strings.Join(words, ", "), near)
}

// flag returns the key's boolean, false where it is not given.
func (f fields) flag(key string) (bool, error) {
	s, err := f.text(key)
	if err != nil || !f.has(key) {
		return false, err
	}
	b, err := strconv.ParseBool(s)
	if err != nil {
		return false, f.errorf(key, "%q is neither true nor false", s)
	}
	return b, nil
}

// duration returns the key's duration, def where it is not given.
func (f fields) duration(key string, def time.Duration) (time.Duration, error) {
	s, err := f.text(key)
	if err != nil || !f.has(key) {
		return def, err
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, f.errorf(key, "%q is not a duration like 5m or 30s", s)
	}
	return d, nil
}

// list returns the key's values: those of a sequence, or the one that stands alone.
func (f fields) list(key string) []*yaml.Node {
	n := f.values[key]
	if n == nil {
		return nil
	}
	if s := resolve(n); s.Kind == yaml.SequenceNode {
		return s.Content
	}
	return []*yaml.Node{n}
}

// texts returns the key's values as texts.
func (f fields) texts(key string) ([]string, error) {
	var out []string
	for _, n := range f.list(key) {
		if s := resolve(n); s.Kind == yaml.ScalarNode && s.Tag != "!!null" {
			out = append(out, s.Value)
			continue
		}
		return nil, f.r.errorf(f.r.spot(n), "%s must be a text or a list of texts", f.name(key))
	}
	return out, nil
}
