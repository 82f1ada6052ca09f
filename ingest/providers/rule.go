package providers

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// rule says what one kind of event means.
type rule struct {
	name      string
	types     []string
	prefixes  []string
	when      *expr // nil: always
	sets      [NumFacets]Value
	reason    []*expr
	code      []*expr
	message   []*expr
	requestID []*expr
	expiresAt []*expr
}

func (m *mapping) parseRules(c *compiler, f fields) error {
	nodes := f.list("rules")
	if len(nodes) > maxRules {
		return f.errorf("rules", "more than %d rules", maxRules)
	}
	named := map[string]*yaml.Node{}
	for i, n := range nodes {
		r, err := c.rule(n, c.labelOf(n, i))
		if err != nil {
			return err
		}
		if first := named[r.name]; first != nil {
			return c.nameTwice(r.name, first, n)
		}
		named[r.name] = n
		m.rules = append(m.rules, r)
	}
	return nil
}

// ruleLabel is what messages call a rule.
func ruleLabel(i int) string { return fmt.Sprintf("mapping.rules[%d]", i) }

// labelOf is what messages call rule i of all.
func (c *compiler) labelOf(n *yaml.Node, i int) string {
	if label := c.r.labels[n]; label != "" {
		return label
	}
	c.r.labels[n] = ruleLabel(i)
	return c.r.labels[n]
}

// nameTwice is the error about two rules of one name: about the second, or about
// the first where that one was put before inherited rules.
func (c *compiler) nameTwice(name string, first, second *yaml.Node) error {
	wrong, other := second, first
	if c.r.spot(resolve(first)).layer != c.r.spot(resolve(second)).layer {
		wrong, other = first, second
	}
	return c.r.errorf(c.r.spot(resolve(wrong)), "%s: the rule at %v has the name %q already", c.r.labels[wrong], c.r.spot(resolve(other)), name)
}

func (c *compiler) rule(n *yaml.Node, where string) (rule, error) {
	var r rule
	f, err := c.r.fields(n, where, "name", "type", "type_prefix", "when", "set", "reason", "code", "message", "request_id", "expires_at")
	if err != nil {
		return r, err
	}
	if r.name, err = f.text("name"); err != nil {
		return r, err
	}
	if r.name == "" || len(r.name) > maxRuleName {
		return r, c.r.errorf(f.at, "%s needs a name of at most %d bytes: people read it in explanations", where, maxRuleName)
	}
	if r.types, err = f.texts("type"); err != nil {
		return r, err
	}
	if r.prefixes, err = f.texts("type_prefix"); err != nil {
		return r, err
	}
	if f.has("when") {
		if r.when, err = c.compile(f.values["when"], f.name("when"), variables, true); err != nil {
			return r, err
		}
	}
	if !f.has("set") {
		return r, c.r.errorf(f.at, "%s has no `set:`; write `set: {}` for a rule that sets nothing", where)
	}
	if err := r.parseSets(f); err != nil {
		return r, err
	}
	for _, list := range []struct {
		key string
		to  *[]*expr
	}{{"reason", &r.reason}, {"code", &r.code}, {"message", &r.message}, {"request_id", &r.requestID}, {"expires_at", &r.expiresAt}} {
		if *list.to, err = c.list(f, list.key, variables); err != nil {
			return r, err
		}
	}
	return r, nil
}

// parseSets reads the facets that a rule sets, checking the values.
func (r *rule) parseSets(f fields) error {
	set, err := f.r.fields(f.values["set"], f.name("set"), facetNames[:]...)
	if err != nil {
		return err
	}
	for facet := range NumFacets {
		if !set.has(facet.String()) {
			continue
		}
		text, err := set.word(facet.String(), facet.Values()...)
		if err != nil {
			return err
		}
		r.sets[facet], _ = facet.ParseValue(text)
	}
	return nil
}

// meets reports whether the rule is for the type: one of its types, or with one
// of its prefixes, or any where it names neither.
func (r *rule) meets(t string) bool {
	if len(r.types) == 0 && len(r.prefixes) == 0 {
		return true
	}
	for _, exact := range r.types {
		if exact == t {
			return true
		}
	}
	for _, p := range r.prefixes {
		if strings.HasPrefix(t, p) {
			return true
		}
	}
	return false
}
