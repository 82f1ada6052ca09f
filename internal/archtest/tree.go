package archtest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// tree is every Go file of one module, nested modules left out.
type tree struct {
	module string // the module's path, from go.mod
	files  []file // in order of path
}

// file is one parsed Go file.
type file struct {
	path    string // from the root, with slashes
	pkg     string // its directory, which is how the tables name packages
	test    bool   // its name ends in _test.go
	lines   int
	imports []imported
	ast     *ast.File
	fset    *token.FileSet
}

// imported is one import: its path, and the name the file knows it by.
type imported struct {
	path string
	name string
	pos  token.Pos
}

// load parses the module whose root is fsys. It returns an error for a file that
// cannot be read or parsed and for a root without go.mod.
func load(fsys fs.FS) (*tree, error) {
	mod, err := fs.ReadFile(fsys, "go.mod")
	if err != nil {
		return nil, err
	}
	t := &tree{module: modulePath(mod)}
	if t.module == "" {
		return nil, errors.New("go.mod has no module line")
	}
	err = fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return enter(fsys, p)
		}
		if path.Ext(p) != ".go" {
			return nil
		}
		f, err := parse(fsys, p)
		t.files = append(t.files, f)
		return err
	})
	if err == nil && len(t.files) == 0 {
		err = errors.New("the tree has no Go files")
	}
	return t, err
}

// enter decides whether the walk goes into a directory, by the go command's own
// rules: not into hidden ones, testdata, or another module.
func enter(fsys fs.FS, dir string) error {
	if dir == "." {
		return nil
	}
	base := path.Base(dir)
	if base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return fs.SkipDir
	}
	if _, err := fs.Stat(fsys, path.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func parse(fsys fs.FS, name string) (file, error) {
	src, err := fs.ReadFile(fsys, name)
	if err != nil {
		return file{}, err
	}
	f := file{
		path:  name,
		pkg:   path.Dir(name),
		test:  strings.HasSuffix(name, "_test.go"),
		lines: bytes.Count(src, []byte("\n")),
		fset:  token.NewFileSet(),
	}
	f.ast, err = parser.ParseFile(f.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return file{}, err
	}
	for _, spec := range f.ast.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return file{}, fmt.Errorf("%s: import %s: %w", name, spec.Path.Value, err)
		}
		im := imported{path: p, name: path.Base(p), pos: spec.Pos()}
		if spec.Name != nil {
			im.name = spec.Name.Name
		}
		f.imports = append(f.imports, im)
	}
	return f, nil
}

func modulePath(gomod []byte) string {
	lines := bufio.NewScanner(bytes.NewReader(gomod))
	for lines.Scan() {
		if m, ok := strings.CutPrefix(lines.Text(), "module "); ok {
			return strings.TrimSpace(m)
		}
	}
	return ""
}

// at says where in the tree a finding is.
func (f file) at(p token.Pos) string {
	return f.path + ":" + strconv.Itoa(f.fset.Position(p).Line)
}

// packages lists the directories that hold Go files.
func (t *tree) packages() []string {
	var pkgs []string
	for _, f := range t.files {
		pkgs = append(pkgs, f.pkg)
	}
	slices.Sort(pkgs)
	return slices.Compact(pkgs)
}

// in reports whether a space-separated list of packages names pkg.
func in(list, pkg string) bool { return slices.Contains(strings.Fields(list), pkg) }
