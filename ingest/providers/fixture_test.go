package providers

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the mappings read into the fixtures, and the table of providers into the documentation")

// TestFixtures maps the payloads in testdata/DEFINITION.txtar and compares with
// what is written beside each.
func TestFixtures(t *testing.T) {
	for _, name := range Builtin() {
		t.Run(name, func(t *testing.T) {
			d, err := Load(name)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".txtar")
			fixtures, err := ReadFixtures(path)
			if err != nil {
				t.Fatal(err)
			}
			m, rules := d.NewMapper(), map[string]bool{}
			for i := range fixtures.List {
				x := &fixtures.List[i]
				o, err := x.Map(m)
				rules[o.Rule] = true
				got := Describe(o, err)
				if got != x.Want && !*update {
					t.Errorf("%s:\n%s\nwant\n%s", x.Name, got, x.Want)
				}
				x.Want = got
			}
			if without := d.RulesWithout(rules); len(without) > 0 {
				t.Errorf("no fixture for the rules %q", without)
			}
			if *update {
				if err := os.WriteFile(path, fixtures.Format(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// Every archive that is built in belongs to a definition, and is written as Format writes it.
func TestFixtureArchives(t *testing.T) {
	files, err := fs.Glob(embeddedFixtures, "testdata/*.txtar")
	if err != nil || len(files) != len(Builtin()) {
		t.Fatalf("%q, %v: there are %d definitions", files, err, len(Builtin()))
	}
	for _, name := range Builtin() {
		fixtures, err := BuiltinFixtures(name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := embeddedFixtures.ReadFile("testdata/" + name + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(fixtures.Format(), text) {
			t.Errorf("%s.txtar: write it with go test ./ingest/providers -run TestFixtures -update", name)
		}
	}
	if _, err := BuiltinFixtures("nobody"); err == nil {
		t.Error("fixtures of a definition that there is not")
	}
	if _, err := ReadFixtures(filepath.Join(t.TempDir(), "none.txtar")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestParseFixtures(t *testing.T) {
	const text = "About Acme.\n-- ping.json --\n{}\n-- ping.headers --\nX-Event: ping\n-- pushed.form --\npayload=%7B%7D\n-- pushed.want --\nsomething\n"
	fixtures, err := ParseFixtures("acme.txtar", []byte(text))
	if err != nil || len(fixtures.List) != 2 {
		t.Fatalf("%+v, %v", fixtures, err)
	}
	ping, pushed := fixtures.List[0], fixtures.List[1]
	if string(ping.Body) != "{}\n" || ping.Header().Get("x-event") != "ping" || ping.Want != "" {
		t.Errorf("ping: %+v", ping)
	}
	if string(pushed.Body) != "payload=%7B%7D" || pushed.Header().Get("content-type") != "application/x-www-form-urlencoded" || pushed.Want != "something\n" {
		t.Errorf("pushed: %+v", pushed)
	}
	if string(fixtures.Format()) != text {
		t.Errorf("written as:\n%s", fixtures.Format())
	}
	for text, want := range map[string]string{
		"-- a.jsn --\n{}\n":                              `the part "a.jsn"`,
		"-- a --\n{}\n":                                  `the part "a"`,
		"-- a.json --\n{}\n-- a.json --\n{}\n":           "twice",
		"-- a.json --\n{}\n-- a.form --\na=b\n":          "two bodies",
		"-- a.want --\nconnection \"c\"\n":               "no body a.json",
		"-- a.json --\n{}\n-- a.headers --\nX-Event 1\n": `"X-Event 1"`,
	} {
		if _, err := ParseFixtures("acme.txtar", []byte(text)); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "acme.txtar: ") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// The guide's example of fixtures goes with its example of a definition.
func TestFixturesOfTheGuide(t *testing.T) {
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	block := func(first string) []byte {
		_, rest, found := strings.Cut(string(text), "\n"+first)
		body, _, ends := strings.Cut(rest, "```")
		if !found || !ends {
			t.Fatalf("the guide has no example that begins with %q", first)
		}
		return []byte(first + body)
	}
	d, err := Parse(guide, block("name: acme\n"))
	if err != nil {
		t.Fatal(err)
	}
	fixtures, err := ParseFixtures(guide, block("From https://docs.acme.example"))
	if err != nil || len(fixtures.List) == 0 {
		t.Fatalf("%+v, %v", fixtures, err)
	}
	for _, x := range fixtures.List {
		if got := Describe(x.Map(d.NewMapper())); got != x.Want {
			t.Errorf("%s:\n%s\nwant\n%s", x.Name, got, x.Want)
		}
	}
}
