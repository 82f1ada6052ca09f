package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// fixturesTest is providers test without a payload: the definition's own ones.
type fixturesTest struct {
	definition, path string
	update           bool
}

func (ft *fixturesTest) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&ft.path, "fixtures", "", "the payloads and what is to be read out of them (default: FILE with .txtar in the place of .yaml)")
	cmd.Flags().BoolVar(&ft.update, "update", false, "write what is read now into the file with the fixtures")
}

// fixtureResult is what came of one fixture.
type fixtureResult struct {
	Fixture     string       `json:"fixture"`
	Result      string       `json:"result"` // ok, differs, new (nothing is wanted yet) or written
	Observation *observation `json:"observation,omitempty"`
	Quarantine  *quarantined `json:"quarantine,omitempty"`
	Diff        string       `json:"diff,omitempty"`
}

// run maps the fixtures, prints what each yields, and ends in exit code 3 where one differs.
func (ft *fixturesTest) run(a *app, definition string) error {
	ft.definition = definition
	d, err := loadDefinition(definition)
	if err != nil {
		return err
	}
	fixtures, err := ft.read(d)
	if err != nil {
		return err
	}
	p := newPrinter(a,
		column[fixtureResult]{name: "fixture", cell: func(r fixtureResult) string { return r.Fixture }},
		column[fixtureResult]{name: "result", cell: func(r fixtureResult) string { return r.Result }},
		column[fixtureResult]{name: "connection", cell: func(r fixtureResult) string { return r.observed().Connection }},
		column[fixtureResult]{name: "type", cell: func(r fixtureResult) string { return r.observed().Type }},
		column[fixtureResult]{name: "occurred at", cell: func(r fixtureResult) string { return r.observed().OccurredAt }},
		column[fixtureResult]{name: "rule", cell: func(r fixtureResult) string { return r.observed().Rule }},
		column[fixtureResult]{name: "sets", cell: fixtureResult.sets},
	)
	m, rules := d.NewMapper(), map[string]bool{}
	differ := 0
	var diffs strings.Builder
	for i := range fixtures.List {
		x := &fixtures.List[i]
		o, err := x.Map(m)
		rules[o.Rule] = true
		r := ft.compare(x, o, err)
		if r.Result == "differs" || r.Result == "new" {
			differ++
			fmt.Fprintf(&diffs, "\n%s", r.Diff)
		}
		if err := p.item(r); err != nil {
			return err
		}
	}
	if err := p.close(); err != nil {
		return err
	}
	a.say("%s", inertLines(diffs.String()))
	return ft.finish(a, d, fixtures, rules, differ)
}

// finish writes the fixtures where that was asked, says what they leave untried, and gives the verdict.
func (ft *fixturesTest) finish(a *app, d *providers.Definition, fixtures *providers.Fixtures, rules map[string]bool, differ int) error {
	for _, rule := range d.RulesWithout(rules) {
		fmt.Fprintf(a.stderr, "no fixture meets the rule %q\n", inert(rule))
	}
	if ft.update {
		if err := replaceFile(ft.path, fixtures.Format()); err != nil {
			return fmt.Errorf("writing the fixtures: %w", err)
		}
		fmt.Fprintf(a.stderr, "wrote %s: read what is in it, it is what you want from now on\n", inert(ft.path))
		return nil
	}
	if differ == 0 {
		return nil
	}
	fmt.Fprintf(a.stderr, "%d of %s read otherwise than wanted (- wanted, + read)\n", differ, many(uint64(len(fixtures.List)), "fixture"))
	if ft.path != "" {
		fmt.Fprintf(a.stderr, "  if it is right as it is read: %s providers test %s --fixtures %s --update\n", a.self, inert(ft.definition), inert(ft.path))
	}
	return errUnhealthy
}

// read finds the fixtures: those given, those beside a file, or those built in.
func (ft *fixturesTest) read(d *providers.Definition) (*providers.Fixtures, error) {
	ext := filepath.Ext(ft.definition)
	isFile := ext == ".yaml" || ext == ".yml" || strings.ContainsAny(ft.definition, `/\`)
	switch {
	case ft.path != "":
	case isFile:
		ft.path = strings.TrimSuffix(ft.definition, ext) + ".txtar"
	case ft.update:
		return nil, usage(errors.New("--update writes a file of yours, and these fixtures are built in"), "name the file: --fixtures mine.txtar")
	default:
		return providers.BuiltinFixtures(d.Name())
	}
	fixtures, err := providers.ReadFixtures(ft.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usage(fmt.Errorf("there are no fixtures in %s", ft.path),
			"a file that begins with a line \"-- first.json --\" and holds a payload below it; or try a single payload: --body payload.json")
	}
	if err != nil {
		return nil, usage(err, "")
	}
	if len(fixtures.List) == 0 {
		return nil, usage(fmt.Errorf("%s holds no payload", ft.path), "a payload stands below a line \"-- first.json --\"")
	}
	return fixtures, nil
}

// compare holds what was read to what is wanted, and makes it what is wanted under --update.
func (ft *fixturesTest) compare(x *providers.Fixture, o providers.Observation, err error) fixtureResult {
	r := fixtureResult{Fixture: x.Name, Result: "ok"}
	var u *providers.Unplaceable
	if errors.As(err, &u) {
		r.Quarantine = &quarantined{u.Code, u.Detail}
	} else {
		r.Observation = observed(&o)
	}
	got := providers.Describe(o, err)
	switch {
	case got == x.Want:
	case ft.update:
		r.Result = "written"
	case x.Want == "":
		r.Result = "new"
	default:
		r.Result = "differs"
	}
	if r.Result != "ok" {
		r.Diff = string(unnamed(diff.Diff(x.Name+" wanted", []byte(x.Want), x.Name+" read", []byte(got))))
	}
	x.Want = got
	return r
}

// unnamed takes the line off a diff that says which command made it.
func unnamed(d []byte) []byte {
	_, rest, _ := bytes.Cut(d, []byte("\n"))
	return rest
}

func (r fixtureResult) observed() *observation {
	if r.Observation == nil {
		return &observation{}
	}
	return r.Observation
}

func (r fixtureResult) sets() string {
	if r.Quarantine != nil {
		return "quarantined: " + r.Quarantine.Code
	}
	return sets(r.Observation.Sets)
}

// replaceFile puts data in the place of a file's content, whole or not at all.
func replaceFile(path string, data []byte) error {
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	temp := path + ".new"
	if err := os.WriteFile(temp, data, mode); err != nil {
		return err
	}
	return os.Rename(temp, path)
}
