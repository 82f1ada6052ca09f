package providers

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what the mappings read into the fixtures")

// TestFixtures maps the payloads in testdata/DEFINITION.txtar and compares with
// what is written beside each: NAME.json is a body, NAME.headers its kept
// headers, NAME.want what the mapping reads out of it.
func TestFixtures(t *testing.T) {
	for _, name := range Builtin() {
		t.Run(name, func(t *testing.T) {
			d, err := Load(name)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".txtar")
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{}
			for _, f := range archive.Files {
				files[f.Name] = string(f.Data)
			}
			m, rules := d.NewMapper(), map[string]bool{}
			out := &txtar.Archive{Comment: archive.Comment}
			for _, f := range archive.Files {
				base, ok := strings.CutSuffix(f.Name, ".json")
				if !ok {
					continue
				}
				o, err := m.Map(f.Data, fixtureHeaders(files[base+".headers"]))
				got := describe(t, o, err)
				rules[o.Rule] = true
				if got != files[base+".want"] && !*update {
					t.Errorf("%s:\n%s\nwant\n%s", base, got, files[base+".want"])
				}
				out.Files = append(out.Files, f)
				if h := files[base+".headers"]; h != "" {
					out.Files = append(out.Files, txtar.File{Name: base + ".headers", Data: []byte(h)})
				}
				out.Files = append(out.Files, txtar.File{Name: base + ".want", Data: []byte(got)})
			}
			for _, r := range d.mapping.rules {
				if !rules[r.name] {
					t.Errorf("no fixture for the rule %q", r.name)
				}
			}
			if *update {
				if err := os.WriteFile(path, txtar.Format(out), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// fixtureHeaders reads lines of "name: value".
func fixtureHeaders(text string) func(string) string {
	h := http.Header{}
	for _, line := range strings.Split(text, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			h.Set(name, textproto.TrimString(value))
		}
	}
	return h.Get
}

// describe writes an observation for people.
func describe(t *testing.T, o Observation, err error) string {
	t.Helper()
	if err != nil {
		return "unplaceable " + err.Error() + "\n"
	}
	var b strings.Builder
	line := func(key string, value any) {
		if s := fmt.Sprint(value); s != "" {
			quoted, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%-16s %s\n", key, quoted)
		}
	}
	instant := func(key string, at time.Time) {
		if !at.IsZero() {
			line(key, at.Format(time.RFC3339Nano))
		}
	}
	line("connection", o.Connection)
	line("type", o.Type)
	line("delivery_id", o.DeliveryID)
	instant("occurred_at", o.OccurredAt)
	if o.HasSequence {
		line("sequence", o.Sequence)
	}
	line("rule", o.Rule)
	for f := range NumFacets {
		line("set "+f.String(), f.ValueName(o.Sets[f]))
	}
	line("reason", o.Detail.Reason)
	line("code", o.Detail.Code)
	line("message", o.Detail.Message)
	line("request_id", o.Detail.RequestID)
	instant("expires_at", o.Detail.ExpiresAt)
	return b.String()
}
