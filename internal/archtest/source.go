package archtest

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strings"
)

// reserved keeps some names of a package of the standard library to a few
// packages of ours. _test.go files may use them everywhere.
type reserved struct {
	dep   string // import path
	names string // identifiers, separated by spaces
	only  string // packages that may use them
	why   string
}

// checkReserved finds uses of reserved names, called or passed as a value. A
// dot import of such a package is refused as a whole: it would hide them.
func checkReserved(t *tree, list []reserved) []string {
	var bad []string
	for _, f := range t.files {
		for _, r := range list {
			if !f.test && !in(r.only, f.pkg) {
				bad = append(bad, f.uses(r)...)
			}
		}
	}
	return bad
}

func (f file) uses(r reserved) []string {
	var bad []string
	for _, im := range f.imports {
		if im.path != r.dep {
			continue
		}
		if im.name == "." {
			bad = append(bad, fmt.Sprintf("%s: dot import of %s: %s", f.at(im.pos), r.dep, r.why))
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if ok && x.Name == im.name && in(r.names, sel.Sel.Name) {
				bad = append(bad, fmt.Sprintf("%s: %s.%s: %s", f.at(sel.Pos()), r.dep, sel.Sel.Name, r.why))
			}
			return true
		})
	}
	return bad
}

// checkNames finds packages whose name says nothing about what is in them.
func checkNames(t *tree, banned string) []string {
	var bad []string
	for _, f := range t.files {
		elements := append(strings.Split(f.pkg, "/"), strings.TrimSuffix(f.ast.Name.Name, "_test"))
		for _, e := range elements {
			if in(banned, e) {
				bad = append(bad, fmt.Sprintf("%s: a package called %q: name it after what it does", f.path, e))
				break
			}
		}
	}
	return bad
}

// checkComments finds packages that do not say what they are. A package comment
// begins "Package name", and in a command it may begin as it likes.
func checkComments(t *tree) []string {
	var bad []string
	for _, pkg := range t.packages() {
		if !slices.ContainsFunc(t.files, func(f file) bool { return f.pkg == pkg && t.documents(f) }) {
			bad = append(bad, fmt.Sprintf("%s: no package comment: say what it is, what it guarantees and where it stands", pkg))
		}
	}
	return bad
}

// documents reports whether f carries its package's comment, where go doc looks
// for it: in a _test.go file only if the package has no others.
func (t *tree) documents(f file) bool {
	if f.test && slices.ContainsFunc(t.files, func(o file) bool { return o.pkg == f.pkg && !o.test }) {
		return false
	}
	name := f.ast.Name.Name
	return f.ast.Doc != nil && (name == "main" || strings.HasPrefix(f.ast.Doc.Text(), "Package "+name+" "))
}

// checkLengths finds files of more than limit lines that have no reason in
// long, and reasons that are no longer needed.
func checkLengths(t *tree, limit int, long map[string]string) []string {
	var bad []string
	needed := make(map[string]bool)
	for _, f := range t.files {
		if f.lines <= limit {
			continue
		}
		needed[f.path] = true
		if long[f.path] == "" {
			bad = append(bad, fmt.Sprintf("%s: %d lines, more than %d: split it, or give a reason in the list", f.path, f.lines, limit))
		}
	}
	for p := range long {
		if !needed[path.Clean(p)] {
			bad = append(bad, fmt.Sprintf("%s: listed as a long file, but it is not one: take it out of the list", p))
		}
	}
	slices.Sort(bad)
	return bad
}
