package providers

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

const (
	guide      = "../../docs/PROVIDERS.md"
	tableBegin = "<!-- made from the definitions: go test ./ingest/providers -run TestTable -update -->\n"
	tableEnd   = "<!-- end of what is made from the definitions -->\n"
)

// TestTable keeps the table of the providers in the guide current. -update writes it.
func TestTable(t *testing.T) {
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), tableBegin)
	is, after, ends := strings.Cut(rest, tableEnd)
	if !begins || !ends {
		t.Fatalf("%s does not hold the lines\n%s%s", guide, tableBegin, tableEnd)
	}
	table := providersTable(t)
	if *update {
		if err := os.WriteFile(guide, []byte(before+tableBegin+table+tableEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if is != table {
		t.Errorf("%s does not say what the definitions say: go test ./ingest/providers -run TestTable -update", guide)
	}
}

// providersTable is a row for each definition, and below it a table of each one's rules.
func providersTable(t *testing.T) string {
	t.Helper()
	var rows, rules strings.Builder
	rows.WriteString("\n| provider | signature | event time | delivery id | sets | when a delivery fails |\n|---|---|---|---|---|---|\n")
	for _, name := range Builtin() {
		d, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		m := d.mapping
		title := "`" + name + "`, " + d.Title()
		if d.Assumed() {
			title += " (in part assumed)"
		}
		fmt.Fprintf(&rows, "| %s | %s | %s | %s | %s | %s |\n", cell(title), cell(d.signature.words()), orElse(expressions(m.occurredAt), "none: the time of receipt counts"),
			orElse(expressions(m.id), "none"), cell(facetsOf(m)), orElse(cell(d.onFailure), "not known"))
		fmt.Fprintf(&rules, "\n<details><summary><code>%s</code>: %d rules</summary>\n\n| rule | for | sets |\n|---|---|---|\n", name, len(m.rules))
		for i := range m.rules {
			r := &m.rules[i]
			fmt.Fprintf(&rules, "| %s | %s | %s |\n", cell(r.name), cell(r.condition()), cell(r.setsWords()))
		}
		rules.WriteString("\n</details>\n")
	}
	return rows.String() + "\nWhat events mean by each. The first rule that matches counts; an event that none matches sets nothing, and stands on the timeline.\n" + rules.String() + "\n"
}

// words says how a request proves its origin.
func (s *signature) words() string {
	var w string
	switch s.scheme {
	case "hmac":
		w = fmt.Sprintf("`%s`: HMAC-%s of `%s`, %s", s.header, strings.ToUpper(s.algorithm), s.template(), s.encoding)
		if s.prefix != "" {
			w += " after `" + s.prefix + "`"
		}
		if s.secretEncoding != "utf8" {
			w += "; the secret is " + s.secretEncoding
		}
	case "standard-webhooks":
		w = "[Standard Webhooks](https://www.standardwebhooks.com), headers `" + strings.Join(s.families, "*`, `") + "*`"
	case "jwt":
		w = fmt.Sprintf("`%s`: a JWT (%s) with the body's hash, keys fetched", s.header, s.algorithm)
	case "token":
		var places []string
		if s.header != "" {
			places = append(places, "in `"+s.header+"`")
		}
		if s.path {
			places = append(places, "in the path")
		}
		return "none: a token " + strings.Join(places, " or ")
	case "basic":
		return "none: HTTP basic authentication"
	default:
		return "none"
	}
	if s.scheme != "hmac" || s.timestamp.given() {
		window := strings.TrimSuffix(strings.TrimSuffix(s.tolerance.Round(time.Second).String(), "0s"), "0m")
		return w + "; replay window " + window
	}
	return w + "; no replay window"
}

// facetsOf lists the facets that some rule sets.
func facetsOf(m *mapping) string {
	var out []string
	for f := range NumFacets {
		for i := range m.rules {
			if m.rules[i].sets[f] != Unset {
				out = append(out, f.String())
				break
			}
		}
	}
	return orElse(strings.Join(out, ", "), "nothing")
}

// condition says which events the rule is for.
func (r *rule) condition() string {
	var types []string
	for _, t := range r.types {
		types = append(types, "`"+t+"`")
	}
	for _, p := range r.prefixes {
		types = append(types, "`"+p+"…`")
	}
	w := orElse(strings.Join(types, ", "), "any type")
	if r.when != nil {
		w += ", when `" + r.when.source + "`"
	}
	return w
}

func (r *rule) setsWords() string {
	var out []string
	for f := range NumFacets {
		if v := r.sets[f]; v != Unset {
			out = append(out, f.String()+" "+f.ValueName(v))
		}
	}
	w := orElse(strings.Join(out, ", "), "nothing")
	if len(r.expiresAt) > 0 {
		w += ", with `expires_at`"
	}
	return w
}

// expressions lists a key's expressions.
func expressions(list []*expr) string {
	var out []string
	for _, e := range list {
		source := strings.Join(strings.Fields(e.source), " ")
		if short := cut(source, 100); short != source {
			source = short + " …"
		}
		out = append(out, "`"+source+"`")
	}
	return cell(strings.Join(out, ", "))
}

// cell makes a text one line of a table.
func cell(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
