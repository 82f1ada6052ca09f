package providers

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"
)

// This file makes one tree of a definition and what it extends. An extending
// definition names what differs: groups of keys are merged key by key, lists and
// single values replace what they stand for, and a key that is set to null is
// taken off. Two things have a way of their own: a signature of another scheme
// replaces the whole inherited one, and mapping.rules_first is put before the
// inherited rules.

const (
	// maxExtends is how many definitions can stand behind one.
	maxExtends = 8
	// maxComposed bounds the nodes that are copied to compose one definition:
	// aliases could make any number of them.
	maxComposed = 200_000
	// maxComposedDepth is deeper than a definition nests.
	maxComposedDepth = 64
)

// compose returns the tree of a layer with all that it extends. chain are the
// layers that extend it, the definition itself first.
func (r *reader) compose(l *layer, chain []*layer) (*yaml.Node, error) {
	if err := l.parse(); err != nil {
		return nil, err
	}
	own, err := r.copy(l, l.root, 0)
	if err != nil {
		return nil, err
	}
	extends := child(own, "extends")
	if extends == nil {
		return own, nil
	}
	if extends.Kind != yaml.ScalarNode || extends.Tag == "!!null" || extends.Value == "" {
		return nil, r.errorf(r.spot(extends), "extends: must be the name of a built-in definition, or a path")
	}
	base, err := l.open(extends.Value)
	if err != nil {
		return nil, r.errorf(r.spot(extends), "extends: %v", err)
	}
	chain = append(chain, l)
	if i := slices.IndexFunc(chain, func(c *layer) bool { return c.id != "" && c.id == base.id }); i >= 0 {
		return nil, r.errorf(r.spot(extends), "extends: a circle: %s", circle(chain[i:]))
	}
	if len(chain) > maxExtends {
		return nil, r.errorf(r.spot(extends), "extends: more than %d definitions, one behind the other", maxExtends)
	}
	r.bases = append(r.bases, base)
	under, err := r.compose(base, chain)
	if err != nil {
		return nil, err
	}
	if under.Kind != yaml.MappingNode {
		return nil, r.errorf(r.spot(under), "the definition must be a mapping of keys to values")
	}
	return r.merge(under, own, "")
}

func circle(layers []*layer) string {
	var b bytes.Buffer
	for _, l := range layers {
		fmt.Fprintf(&b, "%s extends ", l.name)
	}
	b.WriteString(layers[0].name)
	return b.String()
}

// copy copies a layer's tree with what its aliases stand for and without its
// comments, and notes where each node is from.
func (r *reader) copy(l *layer, n *yaml.Node, depth int) (*yaml.Node, error) {
	n = resolve(n)
	if r.copied++; r.copied > maxComposed || depth > maxComposedDepth {
		return nil, l.errorf(n.Line, n.Column, "nested too deep or too large to be composed: does an alias stand in what it stands for?")
	}
	out := &yaml.Node{Kind: n.Kind, Style: n.Style, Tag: n.Tag, Value: n.Value, Line: n.Line, Column: n.Column}
	r.from[out] = l
	for _, c := range n.Content {
		inner, err := r.copy(l, c, depth+1)
		if err != nil {
			return nil, err
		}
		out.Content = append(out.Content, inner)
	}
	return out, nil
}

// merge lays one group of keys over another.
func (r *reader) merge(under, over *yaml.Node, path string) (*yaml.Node, error) {
	if under.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode {
		return over, nil
	}
	for _, n := range []*yaml.Node{under, over} {
		if err := r.once(n, path); err != nil {
			return nil, err
		}
	}
	out := &yaml.Node{Kind: yaml.MappingNode, Tag: under.Tag, Style: under.Style, Line: over.Line, Column: over.Column}
	r.from[out] = r.from[over]
	for i := 0; i+1 < len(under.Content); i += 2 {
		key, value := under.Content[i], under.Content[i+1]
		if by := child(over, key.Value); by != nil {
			if isNull(by) {
				continue
			}
			var err error
			if value, err = r.override(value, by, path, key.Value); err != nil {
				return nil, err
			}
		}
		out.Content = append(out.Content, key, value)
	}
	for i := 0; i+1 < len(over.Content); i += 2 {
		key := over.Content[i]
		if path == "" && key.Value == "extends" || path == "mapping" && key.Value == "rules_first" || child(under, key.Value) != nil {
			continue
		}
		out.Content = append(out.Content, key, over.Content[i+1])
	}
	if path == "mapping" {
		r.putFirst(out, over)
	}
	return out, nil
}

// override returns what stands for a key that both have.
func (r *reader) override(under, over *yaml.Node, path, key string) (*yaml.Node, error) {
	if path == "" && key == "signature" {
		before, after := child(under, "scheme"), child(over, "scheme")
		if before != nil && after != nil && before.Value != after.Value {
			return over, nil // the keys of another scheme mean nothing to this one
		}
	}
	if path != "" {
		key = path + "." + key
	}
	return r.merge(under, over, key)
}

// putFirst puts the rules that come first before the others.
func (r *reader) putFirst(mapping, over *yaml.Node) {
	first := child(over, "rules_first")
	if first == nil {
		return
	}
	all := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Line: first.Line, Column: first.Column}
	r.from[all] = r.from[first]
	for i, n := range items(first) {
		r.labels[n] = fmt.Sprintf("mapping.rules_first[%d]", i)
		all.Content = append(all.Content, n)
	}
	rules := child(mapping, "rules")
	if rules != nil {
		for i, n := range items(rules) {
			if r.labels[n] == "" {
				r.labels[n] = ruleLabel(i)
			}
			all.Content = append(all.Content, n)
		}
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == "rules" {
			mapping.Content[i+1] = all
			return
		}
	}
	key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "rules", Line: first.Line, Column: first.Column}
	r.from[key] = r.from[first]
	mapping.Content = append(mapping.Content, key, all)
}

// once finds a key that stands in a mapping twice.
func (r *reader) once(n *yaml.Node, path string) error {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if seen[key.Value] {
			return r.errorf(r.spot(key), "the key %s stands here a second time", fields{path: path}.name(key.Value))
		}
		seen[key.Value] = true
	}
	return nil
}

// explainMisfit says of an error that lies in an inherited part whether the part
// is wrong by itself, or does not fit what stands over it.
func (r *reader) explainMisfit(err error) error {
	var wrong *fault
	if !errors.As(err, &wrong) || wrong.at.layer == r.top || len(r.bases) == 0 {
		return err
	}
	base := *r.bases[0]
	if _, alone := build(&base); alone != nil {
		return err
	}
	return r.errorf(r.spot(child(resolve(r.top.root), "extends")),
		"extends: the parts that are overridden here do not fit an inherited one: %w (a key that is set to null is taken off)", err)
}

// child returns the value under a key, nil where there is none.
func child(n *yaml.Node, key string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// items returns the elements of a sequence, or the value that stands alone.
func items(n *yaml.Node) []*yaml.Node {
	if n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return []*yaml.Node{n}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }
