package whatif

import (
	"fmt"
	"strings"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// Reading is what a definition reads out of an event.
type Reading struct {
	// Quarantine is why it cannot be placed, "" where it can.
	Quarantine  string            `json:"quarantine,omitempty" doc:"Why it cannot be placed; left out where it can"`
	Connection  string            `json:"connection,omitempty"`
	Type        string            `json:"type,omitempty"`
	Rule        string            `json:"rule,omitempty" doc:"The rule of the mapping that matched"`
	EffectiveAt *time.Time        `json:"effective_at,omitempty"`
	DeliveryID  string            `json:"delivery_id,omitempty"`
	Sets        map[string]string `json:"sets,omitempty"`
	Detail      *Detail           `json:"detail,omitempty"`
}

// Detail is what an event says beside the values that it sets.
type Detail struct {
	Reason    string     `json:"reason,omitempty"`
	Code      string     `json:"code,omitempty"`
	Message   string     `json:"message,omitempty"`
	RequestID string     `json:"request_id,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// read is an event as a definition reads it.
type read struct {
	obs   providers.Observation
	bad   *projections.Quarantine
	entry timeline.Entry
}

func (r *read) of(o *projections.Observer, e *eventstore.Event) (err error) {
	if r.obs, r.bad, err = o.Observe(e); err != nil {
		return fmt.Errorf("event %s: %w", e.ID, err)
	}
	if r.bad == nil {
		projections.EntryOf(&r.entry, e, &r.obs, 0, 0)
	}
	return nil
}

func (r *read) reading() Reading {
	if r.bad != nil {
		return Reading{Quarantine: r.bad.Code + ": " + r.bad.Reason}
	}
	at := time.Unix(0, r.entry.Key.Effective).UTC()
	out := Reading{Connection: r.obs.Connection, Type: r.obs.Type, Rule: r.obs.Rule, EffectiveAt: &at, DeliveryID: r.obs.DeliveryID}
	for f, v := range r.obs.Sets {
		if v == providers.Unset {
			continue
		}
		if out.Sets == nil {
			out.Sets = map[string]string{}
		}
		out.Sets[providers.Facet(f).String()] = providers.Facet(f).ValueName(v)
	}
	if d := r.obs.Detail; d != (providers.Detail{}) {
		out.Detail = &Detail{Reason: d.Reason, Code: d.Code, Message: d.Message, RequestID: d.RequestID}
		if !d.ExpiresAt.IsZero() {
			t := d.ExpiresAt.UTC()
			out.Detail.ExpiresAt = &t
		}
	}
	return out
}

// change is one thing that two definitions read differently in an event.
type change struct{ what, old, new string }

// changes lists what two definitions read differently. Which rule matched is no
// difference by itself.
func changes(a, b *read) []change {
	switch {
	case a.bad != nil && b.bad != nil:
		return nil
	case a.bad != nil:
		return []change{{"quarantine", a.bad.Code, "placed"}}
	case b.bad != nil:
		return []change{{"quarantine", "placed", b.bad.Code}}
	}
	var all []change
	differs := func(what string, is bool) {
		if is {
			all = append(all, change{what: what})
		}
	}
	differs("connection", a.obs.Connection != b.obs.Connection)
	if a.obs.Type != b.obs.Type {
		all = append(all, change{"type", a.obs.Type, b.obs.Type})
	}
	differs("time", a.entry.Key.Effective != b.entry.Key.Effective || a.entry.Key.Sequence != b.entry.Key.Sequence)
	differs("delivery id", a.obs.DeliveryID != b.obs.DeliveryID)
	for f := range providers.NumFacets {
		if x, y := a.obs.Sets[f], b.obs.Sets[f]; x != y {
			all = append(all, change{f.String(), f.ValueName(x), f.ValueName(y)})
		}
	}
	da, db := a.obs.Detail, b.obs.Detail
	differs("detail", !da.ExpiresAt.Equal(db.ExpiresAt) || stripped(da) != stripped(db))
	return all
}

func stripped(d providers.Detail) string {
	return strings.Join([]string{d.Reason, d.Code, d.Message, d.RequestID}, "\x00")
}
