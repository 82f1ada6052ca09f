package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"go.yaml.in/yaml/v4"
)

// FileName is the configuration that is read where none is named.
const FileName = "tidemark.yaml"

const maxConfig = 4 << 20

// Locate returns the file to read: the one that was asked for, else
// ./tidemark.yaml where there is one, else "", for the built-in defaults.
func Locate(asked string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	_, err := os.Stat(FileName)
	switch {
	case err == nil:
		return FileName, nil
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	default:
		return "", fmt.Errorf("look for %s: %w", FileName, err)
	}
}

// Load reads the file at path over the defaults; "" gives the defaults alone.
// environ looks up an environment variable, as os.LookupEnv does. The error
// joins one *Error for each thing wrong, in the order of their lines. Load does not
// Validate: a flag may still change what it read.
func Load(path string, environ func(string) (string, bool)) (*Config, error) {
	if path == "" {
		return Default(), nil
	}
	data, _, err := readSmall(path, maxConfig)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	cfg := Default()
	cfg.File = path
	cfg.lines = map[string]int{}
	d := &decoder{
		cfg:      cfg,
		dir:      filepath.Dir(path),
		text:     strings.Split(string(data), "\n"),
		environ:  environ,
		expanded: map[*yaml.Node]bool{},
	}
	if root, ok := d.parse(data); ok {
		d.group(node{Node: root}, cfg.schema())
	}
	if len(d.errs) > 0 {
		sort.SliceStable(d.errs, func(i, j int) bool { return d.errs[i].Line < d.errs[j].Line })
		all := make([]error, len(d.errs))
		for i, e := range d.errs {
			all[i] = e
		}
		return nil, errors.Join(all...)
	}
	return cfg, nil
}

// parse returns the document's root mapping. It returns false where there is
// nothing to read: an empty file, or one that is no YAML, which is then an error.
func (d *decoder) parse(data []byte) (*yaml.Node, bool) {
	if blank(d.text) {
		return nil, false
	}
	var doc yaml.Node
	if err := yaml.Load(data, &doc); err != nil {
		line, column, problem := syntaxProblem(err)
		// What a broken line holds nobody knows: it is shown only where a known key begins it.
		known := func(key string) bool { return d.cfg.schema().find(key, "") != "" }
		d.errs = append(d.errs, &Error{File: d.cfg.File, Line: line, Column: column, Problem: problem, Excerpt: excerpt(d.text, line, known)})
		return nil, false
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil, false
	}
	return doc.Content[0], true
}

func blank(lines []string) bool {
	for _, l := range lines {
		if l = strings.TrimSpace(l); l != "" && l != "---" && !strings.HasPrefix(l, "#") {
			return false
		}
	}
	return true
}

var quoted = regexp.MustCompile(`'[^']*'|"[^"]*"`)

// syntaxProblem says where and why the text is no YAML. What the parser
// quotes from the text longer than a mark or two is left out: it may be a secret.
func syntaxProblem(err error) (line, column int, problem string) {
	var one *yaml.LoadError
	var many *yaml.LoadErrors
	switch {
	case errors.As(err, &one):
	case errors.As(err, &many) && len(many.Errors) > 0:
		one = many.Errors[0]
	default:
		return 0, 0, "this is not YAML"
	}
	msg := quoted.ReplaceAllStringFunc(one.Message, func(q string) string {
		if len(q) > 4 {
			return "'…'"
		}
		return q
	})
	problem = "this is not YAML: " + strings.TrimPrefix(msg, "yaml: ")
	// A quote or bracket that is not closed is noticed at the end of the file, and mended where it was opened.
	unclosed := strings.Contains(msg, "end of stream") || strings.Contains(msg, "did not find expected")
	if begun := one.ContextMark.Line; unclosed && begun > 0 && begun < one.Mark.Line {
		return begun, one.ContextMark.Column, fmt.Sprintf("%s (%s, begun here, noticed in line %d)", problem, one.ContextMsg, one.Mark.Line)
	}
	return one.Mark.Line, one.Mark.Column, problem
}

// readSmall reads a file of at most limit bytes, and says who may read it.
func readSmall(path string, limit int64) ([]byte, fs.FileMode, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }()
	fi, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, 0, err
	}
	if int64(len(data)) > limit {
		return nil, 0, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return data, fi.Mode(), nil
}
