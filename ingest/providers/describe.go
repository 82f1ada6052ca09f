package providers

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Describe writes what a mapper returned as lines that people review: a key and
// a text in JSON's quotes, what is absent left out; or "unplaceable" and why.
// Equal results give equal texts.
func Describe(o Observation, err error) string {
	if err != nil {
		return "unplaceable " + err.Error() + "\n"
	}
	var b strings.Builder
	line := func(key, text string) {
		if text != "" {
			quoted, _ := json.Marshal(text) // a string always marshals
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
		line("sequence", fmt.Sprint(o.Sequence))
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

// RulesWithout returns the names of the definition's rules that none of the
// given rules is, in the definition's order: what its fixtures leave untried.
func (d *Definition) RulesWithout(tried map[string]bool) []string {
	var out []string
	for _, r := range d.mapping.rules {
		if !tried[r.name] {
			out = append(out, r.name)
		}
	}
	return out
}
