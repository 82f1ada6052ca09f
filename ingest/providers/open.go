package providers

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"
)

// isPath tells a file from the name of a built-in definition.
func isPath(nameOrPath string) bool {
	ext := filepath.Ext(nameOrPath)
	return ext == ".yaml" || ext == ".yml" || strings.ContainsAny(nameOrPath, `/\`)
}

// openLayer finds a built-in definition or a file, whose path starts at dir where it is relative.
func openLayer(nameOrPath, dir string) (*layer, error) {
	if !isPath(nameOrPath) {
		return openBuiltin(nameOrPath)
	}
	path := nameOrPath
	if dir != "" && !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading a provider definition: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxDefinition+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("reading a provider definition: %w", err)
	}
	id, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("reading a provider definition: %w", err)
	}
	return &layer{name: path, id: id, path: path, text: data, open: func(base string) (*layer, error) {
		return openLayer(base, filepath.Dir(path))
	}}, nil
}

// openBuiltin finds a built-in definition.
func openBuiltin(name string) (*layer, error) {
	data, err := embedded.ReadFile(name + ".yaml")
	if err != nil || isPath(name) {
		hint := ""
		if near := nearest(name, Builtin()); near != "" {
			hint = fmt.Sprintf("; did you mean %q?", near)
		}
		return nil, fmt.Errorf("no built-in provider definition is called %q%s (built in: %s; a file of your own is named by its path, as in ./%s.yaml)",
			name, hint, strings.Join(Builtin(), ", "), name)
	}
	return &layer{name: "built-in " + name + ".yaml", id: "built-in " + name, text: data, open: openBuiltin}, nil
}

// Inline is a definition that stands in another file, where the name of one
// could stand: a whole one, or one that extends another by a few lines.
type Inline struct {
	file string
	text []byte
	node *yaml.Node
}

// NewInline takes the part of a file. Errors about it name the file, with the
// node's lines and columns; text is the file's. Paths start at the file's directory.
func NewInline(file string, text []byte, node *yaml.Node) *Inline {
	return &Inline{file, text, node}
}

// Load checks and compiles the definition, and what it extends.
func (i *Inline) Load() (*Definition, error) {
	dir := filepath.Dir(i.file)
	return build(&layer{name: i.file, text: i.text, inline: true, root: i.node, open: func(base string) (*layer, error) {
		return openLayer(base, dir)
	}})
}

// Extends is what the definition says that it extends, a path as it is written; "" where it says nothing.
func (i *Inline) Extends() string {
	if n := child(resolve(i.node), "extends"); n != nil {
		return resolve(n).Value
	}
	return ""
}
