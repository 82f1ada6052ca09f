package projections

import (
	"errors"
	"fmt"
	"time"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// Why explains one facet's value: the event that set it, by which rule and
// clock, and the events around it that might have been expected to decide.
type Why struct {
	Facet string     `json:"facet"`
	Value string     `json:"value"`
	Since *time.Time `json:"since,omitempty" doc:"Effective time of the first event of the current run of equal values"`
	// Event began the current run of equal values; nil where nothing ever set the facet.
	Event *Cause `json:"event,omitempty" doc:"The event that began the current run; left out where nothing ever set the facet"`
	// Last set the facet last, if that is another event: the value was confirmed.
	Last *Cause `json:"last,omitempty" doc:"The event that set the facet last, if that is another one: it confirmed the value"`
	// Sets counts the events that set the facet.
	Sets uint64 `json:"sets" doc:"How many events set the facet"`
	// Overridden are events that set the facet to something else and do not decide, the
	// nearest before Event in event-time order first, at most MaxOverridden.
	Overridden []Cause `json:"overridden,omitempty" nullable:"false" doc:"Events that set the facet to something else and do not decide, the nearest before event first, at most 5"`
	// Words say it all in sentences that can be sent to a customer.
	Words []string `json:"words" nullable:"false" doc:"The same in sentences that can be sent to a customer"`
}

// Cause is an event as far as it bears on a facet.
type Cause struct {
	Event      string    `json:"event"`
	Type       string    `json:"type"`
	Value      string    `json:"value"`
	Rule       string    `json:"rule,omitempty" doc:"The rule of the mapping that set the facet"`
	At         time.Time `json:"effective_at" doc:"The time that orders the event"`
	TimeSource string    `json:"time_source" enum:"provider,received" doc:"Whose clock effective_at is"`
	ReceivedAt time.Time `json:"received_at" doc:"Our clock at acceptance"`
	Late       bool      `json:"late,omitempty" doc:"It came after an event of a later effective time"`
	ClockSkew  bool      `json:"clock_skew,omitempty" doc:"Its own time was not usable"`
	Duplicates uint32    `json:"duplicates,omitempty" doc:"Further deliveries of it"`
	Conflicts  uint32    `json:"conflicts,omitempty" doc:"Further deliveries with other bytes"`
	// ArrivedAfter is set on an overridden event that was received after the one that decides.
	ArrivedAfter bool   `json:"arrived_after,omitempty" doc:"Of an overridden event: it was received after the one that decides"`
	Position     uint64 `json:"position"`
}

// MaxOverridden bounds Why.Overridden, maxLookBack the entries that are looked at to find them.
const (
	MaxOverridden = 5
	maxLookBack   = 200
)

// Explanation says why a connection's state is what it is.
type Explanation struct {
	State  connections.State `json:"state"`
	Facets []Why             `json:"facets" nullable:"false"`
}

// Explain explains the state of a connection as of an instant, or returns ErrNotFound.
func (v *View) Explain(source, id string, w When) (Explanation, error) {
	state, err := v.ConnectionAt(source, id, w)
	if err != nil {
		return Explanation{}, err
	}
	row, err := v.row(source, id)
	if err != nil {
		return Explanation{}, err
	}
	r := v.reader(&row)
	sum, err := r.Range(timeline.MinKey, w.end(), w.known())
	x := Explanation{State: state}
	for f := providers.Facet(0); f < providers.NumFacets && err == nil; f++ {
		var why Why
		why, err = explainFacet(r, f, &sum, w)
		x.Facets = append(x.Facets, why)
	}
	return x, errors.Join(err, r.Close())
}

func explainFacet(r *timeline.Reader, f providers.Facet, sum *timeline.Summary, w When) (Why, error) {
	run := &sum.Facets[f]
	why := Why{Facet: f.String(), Value: f.ValueName(connections.Values(sum)[f]), Sets: run.Sets}
	if run.Sets == 0 {
		why.Words = []string{fmt.Sprintf("No event has said anything about %s yet, so it is %s.", f, why.Value)}
		return why, nil
	}
	first, err := r.MustEntry(run.Since)
	if err != nil {
		return why, err
	}
	why.Event = causeOf(f, first)
	why.Since = &why.Event.At
	if run.LastKey != run.Since {
		last, err := r.MustEntry(run.LastKey)
		if err != nil {
			return why, err
		}
		why.Last = causeOf(f, last)
	}
	looked := 0
	err = r.Walk(timeline.MinKey, run.Since, true, func(e *timeline.Entry) bool {
		looked++
		if v := e.Sets[f]; v != providers.Unset && v != run.Last && e.ReceivedAt <= w.known() {
			c := causeOf(f, e)
			c.ArrivedAfter = e.ReceivedAt > first.ReceivedAt
			why.Overridden = append(why.Overridden, *c)
		}
		return looked < maxLookBack && len(why.Overridden) < MaxOverridden
	})
	why.Words = why.sentences()
	return why, err
}

func causeOf(f providers.Facet, e *timeline.Entry) *Cause {
	c := &Cause{
		Event: e.EventID(), Type: e.Type, Value: f.ValueName(e.Sets[f]), Rule: e.Rule,
		At: nano(e.Key.Effective), ReceivedAt: nano(e.ReceivedAt), TimeSource: e.TimeSource(),
		Late: e.Late, ClockSkew: e.Skewed, Duplicates: e.Duplicates, Conflicts: e.Conflicts, Position: e.Key.Position,
	}
	return c
}

const wordTime = "2006-01-02 15:04:05 UTC"

func (why *Why) sentences() []string {
	e := why.Event
	words := []string{fmt.Sprintf("%s is %s since %s: event %s (%s) said so%s.",
		why.Facet, why.Value, e.At.Format(wordTime), e.Event, e.Type, byRule(e.Rule))}
	switch {
	case e.ClockSkew:
		words = append(words, "The provider's time for that event could not be right, so it counts from when we received it.")
	case e.TimeSource == "received":
		words = append(words, "The provider gave no time for that event, so it counts from when we received it.")
	}
	if e.Late {
		words = append(words, fmt.Sprintf("That event came late: we received it at %s, after events of a later time.", e.ReceivedAt.Format(wordTime)))
	}
	if e.Duplicates > 0 {
		words = append(words, fmt.Sprintf("It was delivered %d times; it counts once.", e.Duplicates+1))
	}
	if e.Conflicts > 0 {
		words = append(words, fmt.Sprintf("%d of the deliveries had other bytes than the first; the first one counts.", e.Conflicts))
	}
	if why.Last != nil {
		words = append(words, fmt.Sprintf("It was confirmed last at %s by event %s (%s).", why.Last.At.Format(wordTime), why.Last.Event, why.Last.Type))
	}
	for _, o := range why.Overridden {
		if o.ArrivedAfter {
			words = append(words, fmt.Sprintf("Event %s (%s) says %s and was received later, at %s, but it happened before, at %s, so it does not decide.",
				o.Event, o.Type, o.Value, o.ReceivedAt.Format(wordTime), o.At.Format(wordTime)))
		}
	}
	return words
}

func byRule(rule string) string {
	if rule == "" {
		return ""
	}
	return fmt.Sprintf(" (rule %q of the definition)", rule)
}
