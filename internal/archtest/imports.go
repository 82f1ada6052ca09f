package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// row is one package of the import table. The lists are separated by spaces.
type row struct {
	pkg string
	// may lists the packages of ours that any file of pkg may import.
	may string
	// tests lists those that its _test.go files may import as well.
	tests string
}

// fence keeps a dependency, and all below its import path, to a few packages.
type fence struct {
	dep   string // import path, or the beginning of one
	only  string // packages whose files may import it
	tests string // packages whose _test.go files may import it as well
	why   string
}

// checkImports finds imports of ours that the table does not allow, packages
// without a row, and rows without a package.
func checkImports(t *tree, table []row) []string {
	rows := make(map[string]row, len(table))
	pkgs := t.packages()
	var bad []string
	for _, r := range table {
		rows[r.pkg] = r
		if !slices.Contains(pkgs, r.pkg) {
			bad = append(bad, fmt.Sprintf("%s: a row in the import table without a package: take the row out", r.pkg))
		}
	}
	for _, pkg := range pkgs {
		if _, ok := rows[pkg]; !ok {
			bad = append(bad, fmt.Sprintf("%s: a package without a row in the import table: place it in docs/DESIGN.md first", pkg))
		}
	}
	for _, f := range t.files {
		r := rows[f.pkg]
		for _, im := range f.imports {
			dep, ours := strings.CutPrefix(im.path, t.module+"/")
			// A test in package foo_test imports foo itself.
			if !ours || in(r.may, dep) || f.test && (in(r.tests, dep) || dep == f.pkg) {
				continue
			}
			bad = append(bad, fmt.Sprintf("%s: %s must not import %s", f.at(im.pos), f.pkg, dep))
		}
	}
	return bad
}

// checkFences finds imports of a fenced dependency from outside its fence. Of
// several fences that cover an import the one with the longest path decides.
func checkFences(t *tree, fences []fence) []string {
	var bad []string
	for _, f := range t.files {
		for _, im := range f.imports {
			var by fence
			for _, c := range fences {
				if covers(c.dep, im.path) && len(c.dep) > len(by.dep) {
					by = c
				}
			}
			if by.dep == "" || in(by.only, f.pkg) || f.test && in(by.tests, f.pkg) {
				continue
			}
			bad = append(bad, fmt.Sprintf("%s: %s must not import %s: %s", f.at(im.pos), f.pkg, im.path, by.why))
		}
	}
	return bad
}

// covers reports whether dep is the import path, or a whole-element beginning of it.
func covers(dep, path string) bool {
	return path == dep || strings.HasPrefix(path, dep+"/")
}
