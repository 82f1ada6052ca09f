package providers

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// layer is one text that a definition is made of: a file, a built-in
// definition, or the part of a configuration that stands where a name could.
type layer struct {
	name   string // what errors call it
	id     string // by which a circle is known; "" for what nothing can extend
	path   string // "" for what is no file
	text   []byte
	inline bool     // text is that of the file in which the definition stands
	lines  []string // of the text, made when an error first asks for them
	root   *yaml.Node
	// open finds what the layer extends.
	open func(nameOrPath string) (*layer, error)
}

// spot is a place in a layer. Lines and columns count from 1, columns in characters.
type spot struct {
	layer        *layer
	line, column int
}

func (s spot) String() string {
	return fmt.Sprintf("%s:%d:%d", s.layer.name, max(1, s.line), max(1, s.column))
}

// reader reads the YAML tree that the layers make. It knows which layer each
// node is from, so that every error names the file, the line and the column.
type reader struct {
	top    *layer
	bases  []*layer              // what top extends, nearest first
	copied int                   // nodes, while composing
	from   map[*yaml.Node]*layer // of the nodes that do not stand in top
	labels map[*yaml.Node]string // the rules' names in messages, where they stand elsewhere than in top's rules
}

// spot is where a node stands.
func (r *reader) spot(n *yaml.Node) spot {
	l := r.from[n]
	if l == nil {
		l = r.top
	}
	return spot{l, n.Line, n.Column}
}

// spotOfKey is where a key of a mapping stands.
func (r *reader) spotOfKey(n *yaml.Node, key string) spot {
	n = resolve(n)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return r.spot(n.Content[i])
		}
	}
	return r.spot(n)
}

// fault is an error at a place.
type fault struct {
	at      spot
	problem error
}

func (f *fault) Error() string { return f.at.String() + ": " + f.problem.Error() }
func (f *fault) Unwrap() error { return f.problem }

// errorf is an error at a place.
func (r *reader) errorf(at spot, format string, args ...any) error {
	return &fault{at, fmt.Errorf(format, args...)}
}

// parse reads the layer's YAML, the only document in its text.
func (l *layer) parse() error {
	if l.root != nil {
		return nil
	}
	if len(l.text) > maxDefinition {
		return l.errorf(1, 1, "longer than %d bytes", maxDefinition)
	}
	if i := invalidUTF8(l.text); i >= 0 {
		before := l.text[:i]
		start := bytes.LastIndexByte(before, '\n') + 1
		return l.errorf(bytes.Count(before, []byte("\n"))+1, utf8.RuneCount(before[start:])+1, "not valid UTF-8")
	}
	var doc yaml.Node
	if err := yaml.Load(l.text, &doc); err != nil {
		return l.syntaxError(err)
	}
	l.root = &doc
	if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 {
		l.root = doc.Content[0]
	}
	return nil
}

func (l *layer) errorf(line, column int, format string, args ...any) error {
	return &fault{spot{l, line, column}, fmt.Errorf(format, args...)}
}

// syntaxError says where the YAML itself is wrong.
func (l *layer) syntaxError(err error) error {
	var one *yaml.LoadError
	if !errors.As(err, &one) {
		return l.errorf(1, 1, "not valid YAML: %v", err)
	}
	return l.errorf(one.Mark.Line, one.Mark.Column, "not valid YAML: %s", strings.TrimPrefix(one.Message, "yaml: "))
}

// line returns a line of the layer's text, "" where there is none.
func (l *layer) line(n int) string {
	if l.lines == nil {
		l.lines = strings.Split(string(l.text), "\n")
	}
	if n < 1 || n > len(l.lines) {
		return ""
	}
	return l.lines[n-1]
}

// invalidUTF8 returns where the text stops being UTF-8, -1 where all of it is.
func invalidUTF8(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}
