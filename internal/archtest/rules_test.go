package archtest

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// small builds a module "m" from pairs of path and source.
func small(t *testing.T, files map[string]string) *tree {
	t.Helper()
	fsys := fstest.MapFS{"go.mod": {Data: []byte("module m\n\ngo 1.26\n")}}
	for p, src := range files {
		fsys[p] = &fstest.MapFile{Data: []byte(src)}
	}
	tr, err := load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// same fails unless the findings are exactly those wanted, each given by its beginning.
func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("findings:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestImportsPointDown(t *testing.T) {
	tr := small(t, map[string]string{
		"log/log.go":          "package log",
		"log/log_test.go":     "package log_test\nimport _ \"m/log\"",
		"state/state.go":      "package state\nimport (\n_ \"m/log\"\n_ \"m/api\"\n)",
		"state/state_test.go": "package state\nimport (\n_ \"m/fake\"\n_ \"m/api\"\n)",
		"state/use.go":        "package state\nimport _ \"m/fake\"",
		"fake/fake.go":        "package fake",
		"api/api.go":          "package api\nimport (\n\"fmt\"\n_ \"mm/other\"\n)\nvar _ = fmt.Sprint",
		"stray/stray.go":      "package stray\nimport _ \"m/log\"",
	})
	same(t, checkImports(tr, []row{
		{pkg: "log"}, {pkg: "fake"}, {pkg: "api"}, {pkg: "gone"},
		{pkg: "state", may: "log", tests: "fake"},
	}),
		"gone: a row in the import table without a package",
		"stray: a package without a row in the import table",
		"state/state.go:4: state must not import api",
		"state/state_test.go:4: state must not import api",
		"state/use.go:2: state must not import fake",
		"stray/stray.go:2: stray must not import log",
	)
}

func TestFencedDependencies(t *testing.T) {
	tr := small(t, map[string]string{
		"kv/kv.go":       "package kv\nimport (\n_ \"db.test/v2\"\n_ \"db.test/v2/vfs\"\n)",
		"api/api.go":     "package api\nimport _ \"db.test/v2/sstable\"",
		"api/a_test.go":  "package api\nimport _ \"db.test/v2/vfs/errorfs\"",
		"law/law.go":     "package law\nimport _ \"db.test/v2/vfs\"",
		"law/l_test.go":  "package law\nimport (\n_ \"db.test/v2/vfs\"\n_ \"db.test/v2\"\n)",
		"near/nearby.go": "package near\nimport _ \"db.tests/v2\"",
	})
	same(t, checkFences(tr, []fence{
		{dep: "db.test", only: "kv", why: "w"},
		{dep: "db.test/v2/vfs", only: "kv", tests: "law", why: "w"},
	}),
		"api/a_test.go:2: api must not import db.test/v2/vfs/errorfs: w",
		"api/api.go:2: api must not import db.test/v2/sstable: w",
		"law/l_test.go:4: law must not import db.test/v2: w",
		"law/law.go:2: law must not import db.test/v2/vfs: w",
	)
}

func TestOnlyCmdReadsTheClock(t *testing.T) {
	tr := small(t, map[string]string{
		"cmd/m/main.go": "package main\nimport \"time\"\nvar now = time.Now",
		"a/call.go":     "package a\nimport \"time\"\nvar t = time.Now()",
		"a/value.go":    "package a\nimport \"time\"\nvar now = time.Now",
		"a/alias.go":    "package a\nimport clock \"time\"\nvar d = clock.Since(clock.Time{})",
		"a/dot.go":      "package a\nimport . \"time\"\nvar u = Now()",
		"a/fine.go":     "package a\nimport \"time\"\nvar second = time.Second",
		"a/other.go":    "package a\ntype c struct{}\nfunc (c) Now() {}\nfunc f(time c) { time.Now() }",
		"a/a_test.go":   "package a\nimport \"time\"\nvar _ = time.Now()",
	})
	same(t, checkReserved(tr, []reserved{{dep: "time", names: "Now Since", only: "cmd/m", why: "w"}}),
		"a/alias.go:3: time.Since: w",
		"a/call.go:3: time.Now: w",
		"a/dot.go:2: dot import of time: w",
		"a/value.go:3: time.Now: w",
	)
}

func TestPackageNames(t *testing.T) {
	tr := small(t, map[string]string{
		"util/a.go":         "package text",
		"common/deep/b.go":  "package deep",
		"helpers/c_test.go": "package helpers_test",
		"ok/d.go":           "package types",
		"utility/e.go":      "package utility",
	})
	same(t, checkNames(tr, "util common types helpers"),
		`common/deep/b.go: a package called "common"`,
		`helpers/c_test.go: a package called "helpers"`,
		`ok/d.go: a package called "types"`,
		`util/a.go: a package called "util"`,
	)
}

func TestPackageComments(t *testing.T) {
	tr := small(t, map[string]string{
		"good/doc.go":      "// Package good is good.\npackage good",
		"good/other.go":    "package good",
		"none/a.go":        "package none",
		"detached/a.go":    "// Package detached is not: a line is between.\n\npackage detached",
		"wrong/a.go":       "// Helpers of all kinds.\npackage wrong",
		"intest/a.go":      "package intest",
		"intest/a_test.go": "// Package intest has it where nobody looks.\npackage intest",
		"only/a_test.go":   "// Package only is tests alone.\npackage only",
		"cmd/m/main.go":    "// M does it.\npackage main",
	})
	same(t, checkComments(tr),
		"detached: no package comment",
		"intest: no package comment",
		"none: no package comment",
		"wrong: no package comment",
	)
}

func TestFileLengths(t *testing.T) {
	tr := small(t, map[string]string{
		"a/fits.go":   "package a\n//2\n//3\n",
		"a/long.go":   "package a\n//2\n//3\n//4\n",
		"a/reason.go": "package a\n//2\n//3\n//4\n",
	})
	same(t, checkLengths(tr, 3, map[string]string{"a/reason.go": "a table", "a/fits.go": "was long once"}),
		"a/fits.go: listed as a long file, but it is not one",
		"a/long.go: 4 lines, more than 3",
	)
}

func TestLoadSkipsWhatIsNotOfTheModule(t *testing.T) {
	tr := small(t, map[string]string{
		"a/a.go":             "package a",
		"a/testdata/bad.go":  "not Go",
		".hidden/b.go":       "not Go",
		"_old/c.go":          "not Go",
		"bench/go.mod":       "module m/bench",
		"bench/main.go":      "not Go",
		"bench/deep/deep.go": "not Go",
	})
	same(t, tr.packages(), "a")
}

func TestLoadRefuses(t *testing.T) {
	mod := &fstest.MapFile{Data: []byte("module m\n")}
	for name, fsys := range map[string]fstest.MapFS{
		"no go.mod":      {"a.go": {Data: []byte("package a")}},
		"no module line": {"go.mod": {Data: []byte("go 1.26\n")}, "a.go": {Data: []byte("package a")}},
		"broken source":  {"go.mod": mod, "a.go": {Data: []byte("pakage a")}},
		"nothing":        {"go.mod": mod},
	} {
		if _, err := load(fsys); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
