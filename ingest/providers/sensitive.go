package providers

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"go.yaml.in/yaml/v4"
)

// hidden are the fields of the document that a definition keeps to itself.
type hidden struct {
	sensitive []fieldPath // shown nowhere
	redact    []fieldPath // replaced by a keyed hash before the event is stored
}

// fieldPath is a field of the document, or several: the steps from its root.
type fieldPath []step

// step goes to the member of that name, or where each is set, to every element
// of an array and every member of an object.
type step struct {
	name string
	each bool
}

// Limits on what a definition hides.
const (
	maxHidden = 100 // paths in one list
	maxSteps  = 32  // of one path
	// hiddenMask stands where a value is not shown; in JSON, a string.
	hiddenMask = "[masked]"
)

// parseHidden reads the fields that the definition hides, and refuses a mapping
// that would show one or that cannot work on hashes.
func (d *Definition) parseHidden(f fields) error {
	for _, list := range []struct {
		key string
		to  *[]fieldPath
	}{{"sensitive", &d.hidden.sensitive}, {"redact", &d.hidden.redact}} {
		nodes := f.list(list.key)
		if len(nodes) > maxHidden {
			return f.errorf(list.key, "more than %d paths", maxHidden)
		}
		for _, n := range nodes {
			places, problem := d.places(n)
			if problem != "" {
				return f.r.errorf(f.r.spot(resolve(n)), "%s: %s", list.key, problem)
			}
			*list.to = append(*list.to, places...)
		}
	}
	return d.checkHidden(f)
}

// places reads one path. One into data stands for as many places as the mapping has for data.
func (d *Definition) places(n *yaml.Node) ([]fieldPath, string) {
	n = resolve(n)
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return nil, "must be a path or a list of paths"
	}
	root, p, problem := parsePlace(n.Value)
	if problem != "" {
		return nil, fmt.Sprintf("`%s` is no path: %s", n.Value, problem)
	}
	switch root {
	case "body":
		if len(p) == 0 {
			return nil, "`body` is all there is: nothing of an event could be read; name its fields, as in body.user.email"
		}
		return []fieldPath{p}, ""
	case "data":
		if len(d.mapping.data) == 0 {
			return nil, fmt.Sprintf("`%s`: the mapping knows no data; begin the path with body", n.Value)
		}
		var all []fieldPath
		for _, data := range d.mapping.data {
			at := fieldPath{}
			for _, name := range data.names {
				at = append(at, step{name: name})
			}
			if at = append(at, p...); len(at) == 0 {
				return nil, fmt.Sprintf("`%s` is the whole body here: nothing of an event could be read; name its fields", n.Value)
			}
			all = append(all, at)
		}
		return all, ""
	}
	hint := ""
	if near := nearest(root, []string{"body", "data"}); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	return nil, fmt.Sprintf("`%s` begins neither with body nor with data%s", n.Value, hint)
}

// parsePlace reads a path such as body.user["e-mail"].list[*].
func parsePlace(text string) (root string, p fieldPath, problem string) {
	n := identifier(text)
	if n == 0 {
		return "", nil, "it begins with body or data"
	}
	root, rest := text[:n], text[n:]
	for rest != "" {
		switch {
		case len(p) == maxSteps:
			return "", nil, fmt.Sprintf("it has more than %d steps", maxSteps)
		case rest[0] == '.':
			if n = identifier(rest[1:]); n == 0 {
				return "", nil, `a name must follow the dot; one with other characters than letters, digits and _ is written ["name"]`
			}
			p, rest = append(p, step{name: rest[1 : 1+n]}), rest[1+n:]
		case strings.HasPrefix(rest, "[*]"):
			p, rest = append(p, step{each: true}), rest[3:]
		case strings.HasPrefix(rest, `["`) || strings.HasPrefix(rest, `['`):
			name, after, found := strings.Cut(rest[2:], rest[1:2]+"]")
			if !found || name == "" || strings.ContainsAny(name, `\`+rest[1:2]) {
				return "", nil, `a name in brackets is written ["name"], without escapes`
			}
			p, rest = append(p, step{name: name}), after
		default:
			return "", nil, fmt.Sprintf(`%q: a path is made of .name, ["name"] and [*]`, rest)
		}
	}
	return root, p, ""
}

// identifier returns the length of the name that s begins with.
func identifier(s string) int {
	n := 0
	for n < len(s) && (s[n] == '_' || s[n]|0x20 >= 'a' && s[n]|0x20 <= 'z' || n > 0 && isDigit(s[n])) {
		n++
	}
	return n
}

// String is the path as a definition spells it from the body.
func (p fieldPath) String() string {
	var b strings.Builder
	b.WriteString("body")
	for _, s := range p {
		switch {
		case s.each:
			b.WriteString("[*]")
		case identifier(s.name) == len(s.name):
			b.WriteString("." + s.name)
		default:
			b.WriteString(`["` + s.name + `"]`)
		}
	}
	return b.String()
}

// any reports whether the definition hides anything.
func (h *hidden) any() bool { return len(h.sensitive)+len(h.redact) > 0 }

// words is a parser's error as it may be shown: where fields are hidden it may
// quote none of the body, which could be one of them.
func (h *hidden) words(err error) string {
	var at *syntaxError
	if h.any() && errors.As(err, &at) {
		return fmt.Sprintf("at byte %d (what stands there may be sensitive and is not shown)", at.offset)
	}
	return err.Error()
}

// covered appends the nodes of the document that are not to be shown: what is
// marked sensitive, and what is to be redacted and is not, as it was stored before the definition said so.
func (h *hidden) covered(d *document, dst []int) []int {
	for _, p := range h.sensitive {
		dst = d.find(dst, 0, p)
	}
	for _, p := range h.redact {
		from := len(dst)
		for _, n := range d.find(dst, 0, p)[from:] {
			if d.nodes[n].kind != kindString || !isRedacted(d.raw(n)[1:d.nodes[n].end-d.nodes[n].start-1]) {
				dst = append(dst, n) // not before where it is read from
			}
		}
	}
	return d.outermost(dst)
}

// find appends every value at the place below node n. What is null or "" is nothing, and hides nothing.
func (d *document) find(dst []int, n int, p fieldPath) []int {
	for ; len(p) > 0 && !p[0].each; p = p[1:] {
		n = d.member(n, p[0].name)
	}
	if n == noNode {
		return dst
	}
	if len(p) == 0 {
		if d.nodes[n].kind != kindNull && !d.emptyString(n) {
			dst = append(dst, n)
		}
		return dst
	}
	end := int(d.nodes[n].next)
	switch d.nodes[n].kind {
	case kindArray:
		for i := n + 1; i < end; i = int(d.nodes[i].next) {
			dst = d.find(dst, i, p[1:])
		}
	case kindObject:
		for i := n + 1; i < end; i = int(d.nodes[i+1].next) {
			dst = d.find(dst, i+1, p[1:])
		}
	}
	return dst
}

// emptyString reports whether node n is "".
func (d *document) emptyString(n int) bool {
	k := &d.nodes[n]
	return k.kind == kindString && k.end-k.start == 2
}

// outermost sorts nodes and takes out those that lie within another.
func (d *document) outermost(nodes []int) []int {
	if len(nodes) < 2 {
		return nodes
	}
	sort.Ints(nodes)
	out := nodes[:1]
	for _, n := range nodes[1:] {
		if n >= int(d.nodes[out[len(out)-1]].next) {
			out = append(out, n)
		}
	}
	return out
}

// Hides reports whether the definition keeps any field from being shown.
func (d *Definition) Hides() bool { return d.hidden.any() }

// Sensitive are the fields that are shown nowhere, as paths from the body.
func (d *Definition) Sensitive() []string { return placeNames(d.hidden.sensitive) }

// Redacted are the fields that are replaced by a keyed hash before an event is stored, as paths from the body.
func (d *Definition) Redacted() []string { return placeNames(d.hidden.redact) }

func placeNames(list []fieldPath) []string {
	var out []string
	for _, p := range list {
		out = append(out, p.String())
	}
	return out
}

// Hiding returns the definition with the fields hidden that other hides too: so
// that one that is only tried shows no more than the one in force. other may be nil.
func (d *Definition) Hiding(other *Definition) *Definition {
	if other == nil || other == d || !other.Hides() {
		return d
	}
	both := *d
	both.hidden = hidden{
		sensitive: append(append([]fieldPath(nil), d.hidden.sensitive...), other.hidden.sensitive...),
		redact:    append(append([]fieldPath(nil), d.hidden.redact...), other.hidden.redact...),
	}
	return &both
}
