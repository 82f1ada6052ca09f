package providers

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// Definition is a provider definition, checked and compiled. It is immutable
// and safe for concurrent use.
type Definition struct {
	name, title, notes string
	onFailure          string
	assumed            bool
	digest, content    string
	text               []byte
	extends, files     []string
	signature          *signature
	mapping            *mapping
	keep               []string
	hidden             hidden
}

//go:embed *.yaml
var embedded embed.FS

const (
	// maxDefinition is the longest definition file in bytes.
	maxDefinition = 1 << 20
	// maxOnFailure is the longest text on what a sender does, in bytes.
	maxOnFailure = 500
)

// Builtin returns the names of the embedded definitions, sorted.
func Builtin() []string {
	files, err := fs.Glob(embedded, "*.yaml")
	if err != nil {
		panic(err) // the pattern is constant and good
	}
	for i := range files {
		files[i] = strings.TrimSuffix(files[i], ".yaml")
	}
	return files
}

// Load returns the built-in definition of that name, or reads the file at that
// path, and what either extends: what holds a path separator or ends in .yaml or
// .yml is a path. The error names the file, the line, the column and the expression.
func Load(nameOrPath string) (*Definition, error) {
	l, err := openLayer(nameOrPath, "")
	if err != nil {
		return nil, err
	}
	return build(l)
}

// Source returns the text of a built-in definition, to read it or to begin one's own from it.
func Source(name string) ([]byte, error) {
	data, err := embedded.ReadFile(name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("no built-in provider definition is called %q (built in: %s)", name, strings.Join(Builtin(), ", "))
	}
	return data, nil
}

// Parse checks and compiles a definition; name is what its errors call it. It
// can extend the built-in definitions alone, since it may come from anybody: no file is read.
func Parse(name string, data []byte) (*Definition, error) {
	return build(&layer{name: name, text: data, open: func(base string) (*layer, error) {
		if isPath(base) {
			return nil, fmt.Errorf("%q is a path, and only a definition that is itself read from a file can extend a file", base)
		}
		return openBuiltin(base)
	}})
}

// build checks and compiles the definition that a layer and what it extends make.
func build(l *layer) (*Definition, error) {
	r := &reader{top: l, from: map[*yaml.Node]*layer{}, labels: map[*yaml.Node]string{}}
	root, err := r.compose(l, nil)
	if err != nil {
		return nil, err
	}
	d, err := r.definition(root)
	if err != nil {
		return nil, r.explainMisfit(err)
	}
	if d.text = l.text; len(r.bases) > 0 || l.inline {
		if d.text, err = yaml.Dump(root, yaml.WithLineWidth(-1)); err != nil {
			return nil, l.errorf(1, 1, "the definition cannot be written: %w", err)
		}
	}
	sum := sha256.Sum256(d.text)
	d.content = hex.EncodeToString(sum[:])
	for _, part := range append([]*layer{l}, r.bases...) {
		if part != l {
			d.extends = append(d.extends, part.name)
		}
		if part.path != "" {
			d.files = append(d.files, part.path)
		}
	}
	return d, nil
}

// definition reads a whole definition.
func (r *reader) definition(root *yaml.Node) (*Definition, error) {
	f, err := r.fields(root, "", "name", "title", "assumed", "notes", "on_failure", "keep_headers", "sensitive", "redact", "signature", "mapping")
	if err != nil {
		return nil, err
	}
	d := &Definition{digest: mappingDigest(f.values)}
	if err := d.parseHead(f); err != nil {
		return nil, err
	}
	for _, key := range []string{"signature", "mapping"} {
		if !f.has(key) {
			return nil, r.errorf(f.at, "the part `%s:` is missing", key)
		}
	}
	if d.signature, err = r.parseSignature(f.values["signature"]); err != nil {
		return nil, err
	}
	if d.mapping, err = r.parseMapping(f.values["mapping"]); err != nil {
		return nil, err
	}
	if err := errors.Join(d.parseKept(f), d.parseHidden(f)); err != nil {
		return nil, err
	}
	return d, nil
}

// parseHead reads what the definition says about itself.
func (d *Definition) parseHead(f fields) (err error) {
	if d.name, err = f.text("name"); err != nil {
		return err
	}
	if !isName(d.name) {
		return f.errorf("name", "%q must be 1 to 64 of a-z, 0-9, _ and -, beginning with a letter or digit", d.name)
	}
	if d.title, err = f.text("title"); err != nil {
		return err
	}
	if d.title == "" {
		d.title = d.name
	}
	if d.notes, err = f.text("notes"); err != nil {
		return err
	}
	if d.onFailure, err = f.text("on_failure"); err != nil {
		return err
	}
	d.onFailure = strings.TrimSpace(d.onFailure)
	if len(d.onFailure) > maxOnFailure || strings.ContainsFunc(d.onFailure, unicode.IsControl) {
		return f.errorf("on_failure", "must be one line of at most %d bytes", maxOnFailure)
	}
	d.assumed, err = f.flag("assumed")
	return err
}

// parseKept reads the headers to store beside the body, and adds those that the mapping reads.
func (d *Definition) parseKept(f fields) error {
	asked, err := f.texts("keep_headers")
	if err != nil {
		return err
	}
	for i, h := range asked {
		asked[i] = strings.ToLower(h)
		if !isToken(h) {
			return f.itemErrorf("keep_headers", i, "%q is not a header's name", h)
		}
	}
	d.keep = sortedUnion(asked, d.mapping.headers)
	for _, h := range d.keep {
		if secretHeaders[h] || d.signature.scheme == "token" && strings.EqualFold(h, d.signature.header) {
			return f.r.errorf(f.spotOf("keep_headers"), "the header %q carries secrets and is not stored", h)
		}
	}
	return nil
}

// isName reports whether s can name a definition.
func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(isDigit(c) || c >= 'a' && c <= 'z' || i > 0 && (c == '_' || c == '-')) {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// Name is the definition's name, [a-z0-9][a-z0-9_-]*, at most 64 bytes.
func (d *Definition) Name() string { return d.name }

// Title is the provider's name for people.
func (d *Definition) Title() string { return d.title }

// Assumed reports whether the definition rests on assumptions that its Notes name.
func (d *Definition) Assumed() bool { return d.assumed }

// Notes is free text on where the definition's facts come from.
func (d *Definition) Notes() string { return d.notes }

// OnFailure says in one line what the sender does when a delivery fails: how
// often and how long it tries again, and what it gives up. "" where it is not told.
func (d *Definition) OnFailure() string { return d.onFailure }

// Text is the definition in YAML: the file as it stands; where it extends
// others, what they make together, without comments. Parse reads it and gives an equal definition.
func (d *Definition) Text() []byte { return append([]byte(nil), d.text...) }

// Extends names what the definition extends, nearest first; nil where it stands by itself.
func (d *Definition) Extends() []string { return append([]string(nil), d.extends...) }

// Files are the paths of the files that the definition was read from, its own
// first: when one of them changes, it has to be loaded again. Built-in definitions have none.
func (d *Definition) Files() []string { return append([]string(nil), d.files...) }

// Digest is the SHA-256, in hex, of what the definition says of the meaning of
// events: generations with equal digests were mapped alike. What it extends is part of it. The
// signature, words for people and comments do not enter; Content tells those apart too.
func (d *Definition) Digest() string { return d.digest }

// Content is the SHA-256, in hex, of Text.
func (d *Definition) Content() string { return d.content }

// Scheme is the name of the signature scheme, the word for Event.Verified:
// hmac, standard-webhooks, jwt, token, basic or none.
func (d *Definition) Scheme() string { return d.signature.scheme }

// KeepHeaders are the headers, in lower case and sorted, that must be stored
// beside the body because the mapping reads them or the definition asks for them.
func (d *Definition) KeepHeaders() []string { return append([]string(nil), d.keep...) }

// MappedHeaders are those of KeepHeaders that the mapping reads.
func (d *Definition) MappedHeaders() []string { return append([]string(nil), d.mapping.headers...) }

// TokenInPath reports whether a sender may prove itself by /in/{source}/{token}.
func (d *Definition) TokenInPath() bool { return d.signature.path }
