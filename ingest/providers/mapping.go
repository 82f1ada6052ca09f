package providers

import (
	"sort"
	"time"

	"go.yaml.in/yaml/v4"
)

// mapping is the `mapping:` part of a definition, compiled.
type mapping struct {
	id, typ, occurredAt, sequence, connection []*expr
	data                                      []path
	formField                                 string // "": the body is the document
	times                                     timeFormat
	rules                                     []rule
	headers                                   []string // that the expressions read

	byType map[string]*typeRules // for every type that a rule names
	others []int                 // the rules to try for other types, in order
}

// typeRules are the rules to try for one type, in the definition's order.
type typeRules struct {
	name  string // the type, so that observations share one string
	rules []int
}

// Limits on a definition.
const (
	maxRules      = 500
	maxRuleName   = 100
	maxCandidates = 16 // expressions in one list
	maxFormField  = 64
)

// parseMapping reads the `mapping:` part.
func (r *reader) parseMapping(n *yaml.Node) (*mapping, error) {
	f, err := r.fields(n, "mapping", "id", "type", "occurred_at", "sequence", "connection", "data", "form_field", "time_unit", "time_zone", "rules", "rules_first")
	if err != nil {
		return nil, err
	}
	if f.has("rules_first") {
		return nil, f.errorf("rules_first", "there are no inherited rules before which they could stand: it is for a definition that extends another")
	}
	m := &mapping{}
	c := newCompiler(r)
	if m.formField, err = f.text("form_field"); err != nil {
		return nil, err
	}
	if f.has("form_field") {
		if m.formField == "" || len(m.formField) > maxFormField {
			return nil, f.errorf("form_field", "a form's field has a name of 1 to %d bytes", maxFormField)
		}
		c.headers[headerContentType] = true // it tells a form from a document
	}
	if err := m.parseData(c, f); err != nil {
		return nil, err
	}
	if m.typ, err = c.list(f, "type", variables[:2]); err != nil {
		return nil, err
	}
	for _, list := range []struct {
		key string
		to  *[]*expr
	}{{"id", &m.id}, {"connection", &m.connection}, {"occurred_at", &m.occurredAt}, {"sequence", &m.sequence}} {
		if *list.to, err = c.list(f, list.key, variables); err != nil {
			return nil, err
		}
	}
	for _, key := range []string{"type", "connection"} {
		if len(f.list(key)) == 0 {
			return nil, r.errorf(f.at, "mapping.%s is missing: without it no event can be placed", key)
		}
	}
	if m.times, err = f.timeFormat(); err != nil {
		return nil, err
	}
	if err := m.parseRules(c, f); err != nil {
		return nil, err
	}
	m.headers = c.headerNames()
	m.indexRules()
	return m, nil
}

// parseData reads the places of the data. They are plain paths: data is a part of the body, not computed.
func (m *mapping) parseData(c *compiler, f fields) error {
	list, err := c.list(f, "data", variables[:1])
	for i, e := range list {
		if e.path.root != rootBody {
			return f.itemErrorf("data", i, "the expression `%s` is not a plain path into the body, as in body.data", e.source)
		}
		m.data = append(m.data, e.path)
	}
	return err
}

// list compiles a key's list of expressions, of which the first that gives something counts.
func (c *compiler) list(f fields, key string, vars []string) ([]*expr, error) {
	nodes := f.list(key)
	if len(nodes) > maxCandidates {
		return nil, f.errorf(key, "more than %d expressions", maxCandidates)
	}
	var out []*expr
	for _, n := range nodes {
		e, err := c.compile(n, f.name(key), vars, false)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// timeFormat reads how times are written.
func (f fields) timeFormat() (timeFormat, error) {
	var t timeFormat
	var err error
	if t.unit, err = f.word("time_unit", "auto", "s", "ms", "us", "ns"); err != nil {
		return t, err
	}
	zone, err := f.text("time_zone")
	if err != nil || zone == "" {
		return t, err
	}
	if zone == "Z" || zone == "UTC" {
		t.zone = time.UTC
		return t, nil
	}
	// Only fixed offsets: a zone's rules change, and a rebuild must not.
	offset, ok := parseOffset([]byte(zone))
	if !ok {
		return t, f.errorf("time_zone", "%q is neither UTC nor a fixed offset like \"+02:00\"", zone)
	}
	t.zone = time.FixedZone(zone, offset)
	return t, nil
}

// indexRules lists, for each type that a rule names, the rules that it can meet.
func (m *mapping) indexRules() {
	m.byType = map[string]*typeRules{}
	for _, r := range m.rules {
		for _, t := range r.types {
			m.byType[t] = &typeRules{name: t}
		}
	}
	for t, tr := range m.byType {
		tr.rules = m.rulesFor(t)
	}
	for i, r := range m.rules {
		if len(r.types) == 0 || len(r.prefixes) > 0 {
			m.others = append(m.others, i)
		}
	}
}

// rulesFor returns the rules whose type conditions the type meets.
func (m *mapping) rulesFor(t string) []int {
	var out []int
	for i := range m.rules {
		if m.rules[i].meets(t) {
			out = append(out, i)
		}
	}
	return out
}

// sortedUnion merges two lists of names.
func sortedUnion(a, b []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, s := range append(append([]string(nil), a...), b...) {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	sort.Strings(out)
	return out
}
